"""The tables of rooms. A message's place in its room is the offset of its event, so that a page and the socket agree."""

from django.conf import settings
from django.db import models


class Room(models.Model):
    """A place to talk. Its channel is `room:<pk>`; people write its slug."""

    class Access(models.TextChoices):
        """Who may come in; each widens the one before."""

        MEMBERS = "members", "Members only"
        PUBLIC = "public", "Everybody signed in"
        GUESTS = "guests", "Guests too"

    slug = models.CharField(max_length=64, unique=True, help_text="Lower case: a room is found however its address is written.")
    title = models.CharField(max_length=80)
    access = models.CharField(max_length=8, choices=Access.choices, default=Access.PUBLIC)
    slow_seconds = models.PositiveIntegerField(default=0, help_text="Slow mode: how long one person waits between two messages.")
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    keep_days = models.PositiveIntegerField(default=0, db_default=0, help_text="How many days messages are kept; 0: for ever.")

    def __str__(self) -> str:
        return self.slug

    @property
    def channel(self) -> str:
        return f"room:{self.pk}"

    @property
    def news_channel(self) -> str:
        """Says that there is something new, for who looks at the room from outside."""
        return f"news:{self.pk}"


class Membership(models.Model):
    """A person's place in a room, and how far she has read."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MODERATOR = "moderator", "Moderator"
        MEMBER = "member", "Member"

    class Level(models.TextChoices):
        """What of this room becomes a notification."""

        ALL = "all", "Every message"
        MENTIONS = "mentions", "Mentions"
        NOTHING = "nothing", "Nothing"

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="room_memberships")
    role = models.CharField(max_length=9, choices=Role.choices, default=Role.MEMBER)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.MENTIONS)
    last_read = models.BigIntegerField(default=0, help_text="The offset of the newest message read.")
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"


class Message(models.Model):
    """What somebody said. `offset` is its first event's, written by whoever numbers that event; pages show it from then on.

    Ids are drawn before the commit and may commit in another order than they were drawn: never sort by them.
    """

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages")
    offset = models.BigIntegerField(null=True, help_text="Empty until the message's event is numbered.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="room_messages")
    author = models.CharField(max_length=80, help_text="Who said it, as a key: user:7, guest:4f21c0.")
    name = models.CharField(max_length=150, help_text="The author's name at that time.")
    text = models.TextField()
    html = models.TextField()
    address = models.CharField(max_length=45, default="", db_default="", blank=True, help_text="Where a guest wrote from.")
    client_id = models.CharField(max_length=64, help_text="The sender's name for this message; one is stored once.")
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "author", "client_id"], name="message_once")]
        indexes = [models.Index(fields=["room", "offset"], name="message_place")]

    def __str__(self) -> str:
        return f"{self.name} in {self.room_id}: {self.text[:40]}"


class Restriction(models.Model):
    """What somebody may not do in a room, until then or for good. `who`: a person's key, or address:192.0.2.7 for guests from there."""

    class Kind(models.TextChoices):
        MUTE = "mute", "May read, not write"
        BAN = "ban", "May not come in"

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="restrictions")
    who = models.CharField(max_length=80)
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=4, choices=Kind.choices)
    until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "who", "kind"], name="restriction_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.name} in {self.room_id}"


class Reaction(models.Model):
    """One person's sign on one message."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="room_reactions")
    author = models.CharField(max_length=80)
    emoji = models.CharField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["message", "author", "emoji"], name="reaction_once")]

    def __str__(self) -> str:
        return f"{self.emoji} by {self.author}"
