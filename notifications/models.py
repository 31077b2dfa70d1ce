"""What is said (Notification), who has it and in what state (InboxItem), and what is still owed (Delivery, Broadcast, Schedule)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.html import linebreaks
from django.utils.safestring import SafeString, mark_safe

from notifications import markdown


class Priority(models.IntegerChoices):
    """How loud. Low: inbox only. Normal: a toast. High: the desktop too, no grace. Critical: the toast stays."""

    LOW = 1, "low"
    NORMAL = 2, "normal"
    HIGH = 3, "high"
    CRITICAL = 4, "critical"


class Notification(models.Model):
    """The payload of one send. Every page and address names a notification by this row's id, whoever has it."""

    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # Whose keys these are: "user:<pk>", or "" for this installation's own code. Outlives the sender.
    owner = models.CharField(max_length=80, default="", blank=True)
    key = models.CharField(max_length=128, default="", blank=True)
    # One key may stand for several notifications with different people: see actions.notify.
    generation = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=200)
    body = models.TextField(default="", blank=True)
    markdown = models.BooleanField(default=False, db_default=False)  # how the body is meant; see notifications.markdown
    url = models.TextField(default="", blank=True)
    category = models.CharField(max_length=40, default="", blank=True)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    actions = models.JSONField(default=list, blank=True)  # [{"label", "url"}], at most two; "method": "post" where it is pressed
    data = models.JSONField(default=dict, blank=True)  # the sender's own, never shown
    channel = models.CharField(max_length=81, default="", db_default="", blank=True)  # the room or dashboard it is about: what people mute
    audience = models.JSONField(default=list, blank=True)  # the words it was sent to: why you got it
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deliver_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)  # NULL while it waits for deliver_at
    expires_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)  # withdrawn or expired: it left every inbox, and its key is free

    class Meta:
        permissions = [("send_critical", "Can send critical notifications")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "key", "generation"], condition=~Q(key=""), name="notification_key"),
        ]
        indexes = [
            models.Index(fields=["deliver_at"], condition=Q(delivered_at__isnull=True), name="notification_waiting"),
            models.Index(
                fields=["expires_at"], condition=Q(expires_at__isnull=False, withdrawn_at__isnull=True), name="notification_expiry"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def words(self) -> str:
        """The body as plain words."""
        return markdown.words(self.body) if self.markdown else self.body

    @property
    def prose(self) -> SafeString:
        """The body as HTML that is safe on every page."""
        return self.prose_for("")

    def prose_for(self, base: str) -> SafeString:
        """The same for elsewhere, as in a mail: links to this site's paths begin with its address."""
        return mark_safe(markdown.html(self.body, base=base) if self.markdown else linebreaks(self.body, autoescape=True))


class InboxItem(models.Model):
    """One person's copy, with its state. Narrow: a broadcast writes a million of these.

    Read implies seen. `arrived_at` is its place in the list: a replacement, or the end of a snooze, moves it to the top.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="items", db_index=False)
    arrived_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, db_default=1)  # one up with every change of state
    # What Undo puts back: when she last archived or snoozed it, or took it from there, and how it stood. NULL: it arrived again since.
    moved_at = models.DateTimeField(null=True, blank=True)
    was_archived_at = models.DateTimeField(null=True, blank=True)
    was_snoozed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification", "user"], name="item_once")]
        indexes = [
            models.Index(fields=["user", "-arrived_at", "-notification"], name="item_page"),
            # Unseen is a part of unread: both counts and the unread tab read this one.
            models.Index(
                fields=["user", "-arrived_at", "-notification"],
                condition=Q(read_at__isnull=True, archived_at__isnull=True),
                name="item_unread",
            ),
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_until__isnull=False), name="item_snoozed"),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} for {self.user_id}"


class Delivery(models.Model):
    """The duty to bring one item one way; leased by a worker, and kept with its outcome and reason."""

    STATES = [("due", "Due"), ("leased", "Leased"), ("done", "Done"), ("skipped", "Not needed"), ("dead", "Given up")]

    item = models.ForeignKey(InboxItem, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    transport = models.CharField(max_length=20)
    state = models.CharField(max_length=8, choices=STATES, default="due")
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=200, default="", blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["item", "transport"], name="delivery_once")]
        indexes = [models.Index(fields=["due_at"], condition=Q(state__in=["due", "leased"]), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.transport} of item {self.item_id}: {self.state}"


class Preference(models.Model):
    """Whether one person wants one category one way. No row: the category's default."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    category = models.CharField(max_length=40)
    transport = models.CharField(max_length=20)
    enabled = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "category", "transport"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.category} by {self.transport}: {'on' if self.enabled else 'off'}"


class SavedFilter(models.Model):
    """A filter of the inbox that a person keeps under a name: a tab of her own."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=40)
    tab = models.CharField(max_length=10)
    q = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="filter_once")]

    def __str__(self) -> str:
        return self.name


class Mute(models.Model):
    """How much of one channel (a room, a dashboard) a person wants to hear of. No row: everything."""

    LEVELS = [("mentions", "Only what mentions me"), ("nothing", "Nothing")]

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    channel = models.CharField(max_length=81, db_index=True)
    level = models.CharField(max_length=10, choices=LEVELS, default="nothing")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "channel"], name="mute_once")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.level}"


class QuietHours(models.Model):
    """From when to when a person is not to be disturbed outside the page, on the clock of her own time zone (Profile)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    start = models.TimeField()
    end = models.TimeField()

    class Meta:
        verbose_name_plural = "quiet hours"

    def __str__(self) -> str:
        return f"{self.start:%H:%M} to {self.end:%H:%M}"


class Webhook(models.Model):
    """The address of her own that a person has her notifications posted to, signed with this secret."""

    SHAPES = [("plain", "Plain JSON"), ("slack", "As Slack takes it")]

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    url = models.TextField()
    secret = models.CharField(max_length=80)
    shape = models.CharField(max_length=8, choices=SHAPES, default="plain")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Webhook of {self.user_id}"


class PushSubscription(models.Model):
    """One browser that a person lets us push to."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.TextField()
    endpoint_hash = models.CharField(max_length=64, unique=True)  # SHA-256: addresses are too long for an index
    p256dh = models.CharField(max_length=128)
    auth = models.CharField(max_length=64)
    device = models.CharField(max_length=80, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.device or f"Device {self.pk}"


class Broadcast(models.Model):
    """One message to an audience, with its progress. Its text is the notification's; its audience is fixed at send."""

    STATES = [
        ("scheduled", "Scheduled"),
        ("sending", "Sending"),
        ("paused", "Paused"),
        ("cancelled", "Cancelled"),
        ("done", "Done"),
    ]

    notification = models.OneToOneField(Notification, on_delete=models.PROTECT, related_name="broadcast")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    audience = models.JSONField()  # canonical words with primary keys (audiences.Audience.words): what later changes do not move
    channel = models.CharField(max_length=81)  # where its one event went
    state = models.CharField(max_length=10, choices=STATES, default="sending")
    send_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_user = models.CharField(max_length=64, default="", blank=True)  # people made after the send are not meant
    total = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, default="", blank=True)  # why it was not sent, or not to everybody, in words
    token = models.CharField(max_length=64, null=True, blank=True, unique=True)  # one intent of the sender's: a second click finds it
    # Measured now and then by the job broadcast_figures; connected is what the web processes last said (BroadcastReach).
    connected = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField(null=True, blank=True)
    measuring_ms = models.PositiveIntegerField(default=0)

    class Meta:
        permissions = [("send_broadcast", "Can send broadcasts")]
        indexes = [models.Index(fields=["state", "send_at"], condition=Q(state__in=["scheduled", "sending"]), name="broadcast_open")]

    def __str__(self) -> str:
        return f"Broadcast {self.pk} ({self.get_state_display().lower()})"


class BroadcastChunk(models.Model):
    """A checkpoint: these people have their rows. Written in the same transaction as they."""

    broadcast = models.ForeignKey(Broadcast, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    first_user = models.CharField(max_length=64)
    last_user = models.CharField(max_length=64)
    written = models.PositiveIntegerField()
    done_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broadcast", "number"], name="chunk_once")]

    def __str__(self) -> str:
        return f"Chunk {self.number} of broadcast {self.broadcast_id}"


class BroadcastReach(models.Model):
    """Which of a broadcast's people one web process is connected to, when it was last asked."""

    broadcast = models.ForeignKey(Broadcast, on_delete=models.CASCADE, related_name="reach", db_index=False)
    process = models.CharField(max_length=32)
    connected = models.PositiveIntegerField()
    people = models.JSONField(null=True)  # their keys: who has tabs on two processes is one; NULL from a process of an older build
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broadcast", "process"], name="reach_once")]

    def __str__(self) -> str:
        return f"{self.connected} of broadcast {self.broadcast_id} on {self.process}"


class Recurrence(models.Model):
    """A broadcast that goes out again and again, by a timetable of django-celery-beat. Swept like all that is due: no broker ETA."""

    title = models.CharField(max_length=200)
    says = models.JSONField()  # what broadcast() takes: title, body, url, priority, markdown
    audience = models.JSONField()  # as Broadcast.audience
    crontab = models.ForeignKey("django_celery_beat.CrontabSchedule", on_delete=models.PROTECT, related_name="+")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)  # NULL: the timetable names no time any more
    reason = models.CharField(max_length=200, default="", blank=True)  # why it stopped, in words
    token = models.CharField(max_length=64, null=True, blank=True, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "recurring broadcast"
        indexes = [models.Index(fields=["next_at"], condition=Q(enabled=True), name="recurrence_due")]

    def __str__(self) -> str:
        return self.title


class Schedule(models.Model):
    """One slot of something recurring. Whoever inserts the row sends; everybody else finds it there."""

    name = models.CharField(max_length=80)
    slot = models.DateTimeField()
    broadcast = models.ForeignKey(Broadcast, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "slot"], name="schedule_slot")]

    def __str__(self) -> str:
        return f"{self.name} at {self.slot:%Y-%m-%d %H:%M}"


class KnownBrowser(models.Model):
    """A browser that a person has signed in from, by what it calls itself ("Firefox on Linux")."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    first_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="browser_once")]

    def __str__(self) -> str:
        return self.name
