"""The tables of the core. `Event` is the outbox, the history and the truth; `docs/delivery.md` tells how."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


def new_epoch() -> str:
    return secrets.token_hex(4)


class Epoch(models.Model):
    """The random id of this database's life: one row, changed when a restore may have taken history back."""

    id = models.SmallAutoField(primary_key=True)
    value = models.CharField(max_length=32, default=new_epoch)
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.value


class Channel(models.Model):
    """Where a channel stands. A channel without a row stands at offset 0; rows are never deleted."""

    name = models.CharField(max_length=81, primary_key=True)
    head = models.BigIntegerField(default=0)  # the newest offset
    tail = models.BigIntegerField(default=1)  # logs: the oldest offset kept; state channels: the last dropped tombstone + 1
    numbered_at = models.DateTimeField(null=True)  # database time

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One immutable fact on a channel. `offset` is NULL until it is sequenced, which is also the outbox."""

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=81)
    offset = models.BigIntegerField(null=True)
    type = models.CharField(max_length=40)
    slot = models.CharField(max_length=20, default="", blank=True)
    key = models.CharField(max_length=128, default="", blank=True)
    # The version that state channels compare inside (slot, key). NULL major: the row's own id.
    major = models.BigIntegerField(null=True)
    minor = models.BigIntegerField(default=0)
    data = models.TextField()  # compact JSON, made and read by core.delivery.wire
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "offset"], condition=models.Q(offset__isnull=False), name="event_offset"),
        ]
        indexes = [
            models.Index(fields=["channel", "id"], condition=models.Q(offset__isnull=True), name="event_waiting"),
            models.Index(fields=["channel", "key", "slot"], condition=models.Q(offset__isnull=False), name="event_key"),
            models.Index(fields=["created_at"], name="event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.offset} {self.type}"

    @property
    def at(self) -> float:
        """When it was published, in unix seconds."""
        return self.created_at.timestamp()


class Process(models.Model):
    """A running web process; its presence rows count while it lives (database time). Workers and beat have rows too."""

    CELERY = "celery "  # what the ids of rows begin with that are no web process's

    id = models.CharField(max_length=32, primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    figures = models.JSONField(null=True)  # what it does, and for whom: core/delivery/report.py

    class Meta:
        permissions = [("disconnect_people", "Can disconnect people from live pages")]

    def __str__(self) -> str:
        return self.id

    @classmethod
    def web(cls) -> models.QuerySet["Process"]:
        """The web processes that live now."""
        return cls.objects.filter(expires_at__gt=Now()).exclude(id__startswith=cls.CELERY)


class Presence(models.Model):
    """A lease that says who is on a channel through one process. `who` is text, for guests have names too."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="presences")
    channel = models.CharField(max_length=81)
    who = models.CharField(max_length=150)
    tabs = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["process", "channel", "who"], name="presence_once")]
        indexes = [models.Index(fields=["channel", "who"], name="presence_channel")]

    def __str__(self) -> str:
        return f"{self.who} on {self.channel}"


class ApiToken(models.Model):
    """A bearer token, stored as its SHA-256. It may do what its owner may, narrowed by its scopes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12, help_text="The first characters, to tell tokens apart.")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}...)"


class Intent(models.Model):
    """What one idempotency key stands for: the second call with it gets the first one's result."""

    scope = models.CharField(max_length=200)  # who and what for: token or user, and the path
    key = models.CharField(max_length=128)
    body_hash = models.CharField(max_length=64)
    result = models.JSONField(null=True)  # NULL while the first call is in flight
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="intent_once")]
        indexes = [models.Index(fields=["expires_at"], name="intent_expiry")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class Profile(models.Model):
    """A person's settings that every app needs."""

    THEMES = [("auto", "Like the system"), ("light", "Light"), ("dark", "Dark")]

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=16, default="en")
    theme = models.CharField(max_length=8, choices=THEMES, default="auto")

    class Meta:
        permissions = [("export_people", "Can copy a person's data"), ("erase_people", "Can erase a person")]

    def __str__(self) -> str:
        return f"Profile of {self.user}"


class Lease(models.Model):
    """Who of many does one thing now. See core.leases."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=80)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class Run(models.Model):
    """One run of a task that shows how far it is; it counts as running while its lease lasts. See core.progress."""

    STATES = [("running", "Running"), ("done", "Done"), ("failed", "Failed")]

    key = models.CharField(max_length=128, unique=True)
    title = models.CharField(max_length=200)
    widget = models.CharField(max_length=140, default="", blank=True)
    audience = models.JSONField(default=list, blank=True)
    url = models.TextField(default="", blank=True)
    state = models.CharField(max_length=8, choices=STATES, default="running")
    done = models.FloatField(default=0)
    total = models.FloatField(default=0)
    label = models.CharField(max_length=120, default="", blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    lease_until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["lease_until"], name="run_lease")]

    def __str__(self) -> str:
        return f"{self.title}: {self.state}"


class Tally(models.Model):
    """How often something happened anywhere in this installation. See core.tallies."""

    name = models.CharField(max_length=80)
    labels = models.CharField(max_length=200)  # their values, as a JSON list
    value = models.FloatField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels}: {self.value:g}"


class SignIn(models.Model):
    """A session of one person, so that she can see and end it. See core.signins."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user", "-last_seen"], name="sign_in_user")]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"
