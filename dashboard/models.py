"""Boards, their tiles and the history of values. A sample's time is whole microseconds, which is also its event's version."""

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.errors import Problem
from dashboard import widgets

RESERVED_SLUGS = frozenset({"new", "echo", "edit", "share", "board", "ticket"})
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", re.ASCII)
_SERIES = re.compile(r"[A-Za-z0-9._-]{0,64}", re.ASCII)
SERIES_SHAPE = "A series is named with at most 64 of A-Z, a-z, 0-9, . _ and -."


def check_slug(slug: str) -> None:
    """Raise ValidationError unless this can be an address: `this-machine`."""
    if not _SLUG.fullmatch(slug):
        raise ValidationError("A slug is 1 to 64 of a-z, 0-9, - and _, with a letter or digit at both ends.", code="slug")
    # A number would be taken for a primary key where people write channel names.
    if slug.isdigit():
        raise ValidationError("A slug is not a number alone.", code="slug")
    if slug in RESERVED_SLUGS:
        raise ValidationError(f"{slug} is taken by a page of its own; also taken: {', '.join(sorted(RESERVED_SLUGS))}.", code="reserved")


def is_series(name: str) -> bool:
    """Whether this can be the name of a line of values; the only one's name is empty."""
    return bool(_SERIES.fullmatch(name))


class Access(models.TextChoices):
    """Who may look without a role."""

    ROLES = "roles", "Only people with a role"
    MEMBERS = "members", "Everybody who is signed in"
    PUBLIC = "public", "Everybody, also without signing in"


class Dashboard(models.Model):
    """A board of widgets. Its channel is `dashboard:<pk>`; people write its slug."""

    slug = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=300, default="", blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    access = models.CharField(max_length=10, choices=Access, default=Access.ROLES)
    # One up with every change of the layout: pages carry it, so that a change makes exactly the older ones refetch.
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["title", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(slug__in=sorted(RESERVED_SLUGS)), name="dashboard_slug_free")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return f"/dashboards/{self.slug}/"

    def clean(self) -> None:
        # Here and not as field validators: a migration would have to import them.
        check_slug(self.slug)

    @property
    def channel(self) -> str:
        return f"dashboard:{self.pk}"


class Widget(models.Model):
    """A tile. `config` is what its kind says (see dashboard/widgets); interval and grace are seconds."""

    class State(models.TextChoices):
        OK = "ok", "OK"
        ERROR = "error", "Error"
        PAUSED = "paused", "Paused"

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="widgets")
    slug = models.CharField(max_length=64)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=120)
    config = models.JSONField(default=dict, blank=True)
    columns = models.PositiveSmallIntegerField(default=3, validators=[MinValueValidator(1), MaxValueValidator(12)])
    rows = models.PositiveSmallIntegerField(default=2, validators=[MinValueValidator(1), MaxValueValidator(8)])
    order = models.PositiveSmallIntegerField(default=0)
    interval = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.1)])
    grace = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    learnt = models.FloatField(null=True, blank=True, editable=False)  # the interval where nobody gave one: dashboard/freshness.py
    state = models.CharField(max_length=10, choices=State, default=State.OK)
    error = models.CharField(max_length=300, default="", blank=True)
    keep = models.PositiveSmallIntegerField(default=48, validators=[MinValueValidator(1), MaxValueValidator(10_000)])  # hours of samples
    revision = models.PositiveIntegerField(default=1)  # one up with every save, as on Dashboard

    class Meta:
        ordering = ["order", "pk"]
        constraints = [models.UniqueConstraint(fields=["dashboard", "slug"], name="widget_slug")]

    def __str__(self) -> str:
        return self.title

    @property
    def expected(self) -> float:
        """The seconds between two values, given or learnt; 0: nobody knows, so it is never late."""
        return self.interval or self.learnt or 0

    @property
    def patience(self) -> float:
        """How many seconds later than expected a value may come; after three times that the widget is stale."""
        return max(2, self.expected) if self.grace is None else self.grace

    def clean(self) -> None:
        check_slug(self.slug)
        widgets.check_config(self.kind, self.config)


class Series(models.Model):
    """A named line of values of one widget; a widget with a single line has the empty name."""

    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, related_name="series")
    name = models.CharField(max_length=64, default="", blank=True)
    rolled_to = models.BigIntegerField(default=0)  # before this time the rollups stand for the samples, but for RollupDue

    class Meta:
        verbose_name_plural = "series"
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["widget", "name"], name="series_name")]

    def __str__(self) -> str:
        return self.name or "value"


class Sample(models.Model):
    """One value with its time. The same (series, time) is replaced, by a row with a higher id."""

    id = models.BigAutoField(primary_key=True)
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="samples", db_index=False)
    at = models.BigIntegerField(help_text="Unix time in microseconds.")
    value = models.FloatField()
    label = models.CharField(max_length=200, default="", blank=True)
    data = models.JSONField(null=True, blank=True)  # what a kind keeps beside the number

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "at"], name="sample_time")]

    def __str__(self) -> str:
        return f"{self.value} at {self.at}"


class Rollup(models.Model):
    """What the samples of one stretch of time amount to. `span` is its length in seconds, `start` in microseconds."""

    id = models.BigAutoField(primary_key=True)
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="rollups", db_index=False)
    span = models.PositiveIntegerField()
    start = models.BigIntegerField()
    low = models.FloatField()
    high = models.FloatField()
    mean = models.FloatField()
    last = models.FloatField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "span", "start"], name="rollup_once")]

    def __str__(self) -> str:
        return f"{self.span} s from {self.start}"


class RollupDue(models.Model):
    """Samples came for hours that may have been rolled up already. Whole hours, in microseconds."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="due_rollups")
    start = models.BigIntegerField()
    end = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.series} from {self.start}"


class Source(models.Model):
    """Where a widget's values come from when nobody pushes them: dashboard/refresh.py and dashboard/polling.py."""

    widget = models.OneToOneField(Widget, on_delete=models.CASCADE, related_name="source")
    kind = models.CharField(max_length=20)
    config = models.JSONField(default=dict, blank=True)
    subject = models.CharField(max_length=100, default="", blank=True, db_index=True)  # what makes it dirty: a model's label
    due_at = models.DateTimeField(default=timezone.now, db_index=True)  # its next recount or poll
    failures = models.PositiveIntegerField(default=0)  # in a row
    leased_until = models.DateTimeField(null=True, blank=True)  # somebody polls it (dashboard/polling.py); also whose lease it is

    def __str__(self) -> str:
        return f"{self.kind} for {self.widget}"

    def clean(self) -> None:
        from dashboard import sources

        try:
            kind = sources.KINDS[self.kind]
            self.subject = kind.subject(kind.settings(self.config, widgets.of(self.widget.kind)))
        except KeyError:
            raise ValidationError({"kind": f"There is no source {self.kind!r}; there is {', '.join(sorted(sources.KINDS))}."}) from None
        except Problem as problem:
            raise ValidationError({"config": problem.detail}) from None


class SourceDirty(models.Model):
    """Something that a source reads has changed since this row was written."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="dirt")

    def __str__(self) -> str:
        return f"{self.source} is dirty"


class AlertRule(models.Model):
    """When a widget's values are worth telling somebody, and how it stands just now."""

    class Condition(models.TextChoices):
        ABOVE = "above", "above"
        BELOW = "below", "below"
        OUTSIDE = "outside", "outside a range"
        NO_DATA = "no_data", "no data"
        STALE = "stale", "stale"

    class State(models.TextChoices):
        OK = "ok", "OK"
        PENDING = "pending", "Pending"
        FIRING = "firing", "Firing"
        RECOVERING = "recovering", "Recovering"

    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, related_name="alert_rules")
    name = models.CharField(max_length=120)
    series = models.CharField(max_length=64, default="", blank=True)  # empty: all lines, the alert fires while one of them is a reason
    condition = models.CharField(max_length=10, choices=Condition)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    pending_seconds = models.PositiveIntegerField(default=0)
    recovery_seconds = models.PositiveIntegerField(default=0)
    severity = models.PositiveSmallIntegerField(default=2)  # as a notification's priority
    audience = models.JSONField(default=list, blank=True)  # words: see dashboard/alerts/audience.py
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    muted_until = models.DateTimeField(null=True, blank=True)
    # How it stands: dashboard/alerts/machine.py. Times are unix microseconds.
    state = models.CharField(max_length=10, choices=State, default=State.OK)
    since = models.BigIntegerField(default=0)
    judged = models.BigIntegerField(default=0)  # the time of the newest value that was judged
    value = models.FloatField(null=True, blank=True)
    line = models.CharField(max_length=64, default="", blank=True)  # whose value that is
    fired = models.JSONField(default=list, blank=True)  # when it last began to fire
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)  # when time alone may change it
    # Values that came more than an hour late and were beyond the limit: how many, and the time of the newest. They change nothing else.
    late_breaches = models.PositiveIntegerField(default=0, db_default=0)
    late_at = models.BigIntegerField(null=True, blank=True)
    told = models.BooleanField(default=False)  # people were told that it fires, and not yet that it is over
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class AlertDue(models.Model):
    """Values were numbered that a rule has not judged: of one series, by the lowest and the highest of their ids."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="due_values")
    series = models.BigIntegerField()  # no foreign key: it is written while channels are locked, and must not wait for a series
    first = models.BigIntegerField()
    last = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.rule}: samples {self.first} to {self.last}"


class Role(models.Model):
    """What one person or one group may do on one board."""

    class Level(models.IntegerChoices):
        VIEW = 1, "view"
        EDIT = 2, "edit"
        MANAGE = 3, "manage"

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="roles")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    group = models.ForeignKey("auth.Group", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    level = models.PositiveSmallIntegerField(choices=Level, default=Level.VIEW)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="role_one_holder"),
            models.UniqueConstraint(fields=["dashboard", "user"], condition=Q(user__isnull=False), name="role_user"),
            models.UniqueConstraint(fields=["dashboard", "group"], condition=Q(group__isnull=False), name="role_group"),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group} may {self.get_level_display()} {self.dashboard}"


class ShareLink(models.Model):
    """A public address of a board, stored as its SHA-256."""

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="share_links")
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.dashboard} ({self.hint}...)"


class Favourite(models.Model):
    """A board that somebody starred: it stands in her rail."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourite_dashboards")
    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="favourites")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "dashboard"], name="favourite_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.dashboard}"
