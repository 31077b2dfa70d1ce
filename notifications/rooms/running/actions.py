"""Running a room: its name, who is in it and as what, who must be quiet or stay away. Each change of access has it checked at once."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from core.delivery import history as delivered
from core.delivery.authority import recheck_channel
from core.delivery.forgetting import blank
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Event
from core.persons import Removed
from notifications.rooms import mentions
from notifications.rooms.actions import event_data, signs
from notifications.rooms.history import newest
from notifications.rooms.models import Membership, Message, Reaction, Restriction, Room
from notifications.rooms.people import Person
from notifications.rooms.text import clean_title

REMOVED_FOR = timedelta(minutes=10)  # who is sent out of a room that is open to her comes back after this


class NotPossible(ValueError):
    """It cannot be done; the text says why."""


def settle(room: Room, *, title: str, access: str, slow_seconds: int, keep_days: int) -> None:
    """Give a room another name, openness, pace and memory. Raises BadText."""
    room.title, room.access, room.slow_seconds, room.keep_days = clean_title(title), access, slow_seconds, keep_days
    with transaction.atomic():
        room.save(update_fields=["title", "access", "slow_seconds", "keep_days"])
        recheck_channel(room.channel)


def archive(room: Room, *, archived: bool) -> None:
    """Close a room for writing, or open it again."""
    room.archived_at = timezone.now() if archived else None
    room.save(update_fields=["archived_at"])


def invite(room: Room, *, username: str) -> None:
    """Make somebody a member, whatever kept her out before. Raises NotPossible."""
    user = None if "\0" in username else get_user_model().objects.filter(username=username[:150], is_active=True).first()
    if user is None:
        raise NotPossible("Nobody has this user name.")
    with transaction.atomic():
        room.restrictions.filter(who=f"user:{user.pk}", kind=Restriction.Kind.BAN).delete()
        _make_member(room, user.pk)


def join(room: Room, person: Person) -> None:
    """Become a member of a room that one may read: it counts what one has not read."""
    if not person.is_guest:
        with transaction.atomic():
            _make_member(room, person.user_id)


def _make_member(room: Room, user_id: Any) -> None:
    """What was said before she came counts as read."""
    newest = delivered.heads([room.channel])[room.channel]
    member, made = Membership.objects.select_related("user").get_or_create(room=room, user_id=user_id, defaults={"last_read": newest})
    if made:
        _tell_member(member)


def set_level(room: Room, *, user_id: Any, level: str) -> None:
    """What of this room a member wants to be notified of. Raises NotPossible."""
    if level not in Membership.Level.values:
        raise NotPossible("There is all, mentions and nothing.")
    if not Membership.objects.filter(room=room, user_id=user_id).update(level=level):
        raise NotPossible("This person is no member of the room.")


def leave(room: Room, *, user_id: Any) -> None:
    """Stop being a member. Raises NotPossible for the last owner."""
    with transaction.atomic():
        member = _member_locked(room, user_id)
        _keep_an_owner(room, member)
        _forget_member(member)
        recheck_channel(room.channel)


def set_role(room: Room, *, user_id: Any, role: str) -> None:
    """Make a member an owner, moderator or plain member. Raises NotPossible."""
    if role not in Membership.Role.values:
        raise NotPossible("There is owner, moderator and member.")
    with transaction.atomic():
        member = _member_locked(room, user_id)
        if role != Membership.Role.OWNER:
            _keep_an_owner(room, member)
        member.role = role
        member.save(update_fields=["role"])
        _tell_member(member)


def remove(room: Room, *, who: str, name: str) -> None:
    """Send somebody out: of a members' room until she is invited, of an open one for REMOVED_FOR. Raises NotPossible."""
    until = timezone.now() + REMOVED_FOR if room.access != Room.Access.MEMBERS else None
    with transaction.atomic():
        _restrict(room, who=who, name=name, kind=Restriction.Kind.BAN, until=until)


def ban(room: Room, *, who: str, name: str) -> None:
    """Keep somebody out for good: a person's key, or `address:...` for all guests from there. Raises NotPossible."""
    with transaction.atomic():
        _restrict(room, who=who, name=name, kind=Restriction.Kind.BAN, until=None)


def mute(room: Room, *, who: str, name: str, seconds: int) -> None:
    """Let somebody read and not write for this long. Raises NotPossible."""
    until = timezone.now() + timedelta(seconds=seconds)
    with transaction.atomic():
        _restrict(room, who=who, name=name, kind=Restriction.Kind.MUTE, until=until)


def lift(room: Room, *, restriction_id: int) -> None:
    """Take a restriction back."""
    room.restrictions.filter(pk=restriction_id).delete()


def forget_old() -> int:
    """Delete the messages that their rooms keep no longer, and restrictions that ended. Returns how many messages."""
    now, gone = timezone.now(), 0
    Restriction.objects.filter(until__lt=now).delete()
    for room in Room.objects.filter(keep_days__gt=0):
        old = Message.objects.filter(room=room, created_at__lt=now - timedelta(days=room.keep_days), offset__isnull=False)
        while portion := list(old.values_list("pk", flat=True)[:1000]):
            Message.objects.filter(pk__in=portion).delete()
            gone += len(portion)
    return gone


def _restrict(room: Room, *, who: str, name: str, kind: Restriction.Kind, until: datetime | None) -> None:
    user = who.removeprefix("user:") if who.startswith("user:") else None
    member = room.memberships.filter(user_id=user).first() if user else None
    if member is not None and member.role == Membership.Role.OWNER:
        raise NotPossible("An owner cannot be sent away or muted.")
    Restriction.objects.update_or_create(room=room, who=who, kind=kind, defaults={"until": until, "name": name})
    if kind == Restriction.Kind.BAN:
        if member is not None:
            _forget_member(member)
        recheck_channel(room.channel)


def _tell_member(member: Membership) -> None:
    """On every page of the room: she is a member, as this."""
    data = {"name": member.user.get_username(), "role": member.role}
    publish(member.room.channel, "member", data, key=f"user:{member.user_id}")


def _forget_member(member: Membership) -> None:
    channel, key = member.room.channel, f"user:{member.user_id}"
    member.delete()
    publish(channel, "member", {"gone": True}, key=key)


def _member_locked(room: Room, user_id: Any) -> Membership:
    # The owners together: two who leave at once must not both take the other for the one who stays.
    rows = list(room.memberships.select_for_update().filter(role=Membership.Role.OWNER).order_by("pk"))
    member = next((row for row in rows if row.user_id == user_id), None) or room.memberships.filter(user_id=user_id).first()
    if member is None:
        raise NotPossible("This person is no member of the room.")
    return member


def _keep_an_owner(room: Room, member: Membership) -> None:
    if member.role == Membership.Role.OWNER and room.memberships.filter(role=Membership.Role.OWNER).count() == 1:
        raise NotPossible("A room needs an owner: make somebody else one first.")


# --- somebody is erased (notifications/rooms/persons.py) ---

OF_PAGES = 50  # of the newest messages of a room, which are on open pages however old they are


def forget_person(person: Person, removed: Removed) -> None:
    """What she said stays, said by a removed person; the rest of her goes. On open pages too, as far as logs and newest messages go back.

    Runs in the caller's transaction. A room that she alone owned gets its oldest moderator or member as owner.
    """
    blank(Event.objects.filter(channel__startswith="room:", type="member", key=person.key))
    for member in Membership.objects.filter(user=person.user_id).select_related("room", "user"):
        _hand_over(member)
        _forget_member(member)
    Restriction.objects.filter(who=person.key).delete()
    _take_signs_back(person)
    for room in Room.objects.filter(messages__author=person.key).distinct().order_by("pk"):
        _say_anonymously(room, person, removed)


def _hand_over(member: Membership) -> None:
    owners = member.room.memberships.filter(role=Membership.Role.OWNER)
    if member.role != Membership.Role.OWNER or owners.exclude(pk=member.pk).exists():
        return
    others = member.room.memberships.exclude(pk=member.pk).filter(user__is_active=True).select_related("user", "room")
    heir = others.filter(role=Membership.Role.MODERATOR).order_by("joined_at").first() or others.order_by("joined_at").first()
    if heir is not None:
        heir.role = Membership.Role.OWNER
        heir.save(update_fields=["role"])
        _tell_member(heir)


def _take_signs_back(person: Person) -> None:
    hers = Reaction.objects.filter(author=person.key)
    touched = list(Message.objects.filter(reactions__in=hers, deleted_at=None, offset__isnull=False).select_related("room").distinct())
    hers.delete()
    for message in touched:
        publish(message.room.channel, "reaction", {"signs": signs(message)}, key=str(message.pk))


def _say_anonymously(room: Room, person: Person, removed: Removed) -> None:
    mine = Message.objects.filter(room=room, author=person.key)
    keys = list(mine.order_by("pk").values_list("pk", flat=True))
    known = {str(row.pk) for row in newest(room, count=OF_PAGES)}
    known |= set(Event.objects.filter(channel=room.channel, type="message.put").values_list("key", flat=True))
    mine.update(user=None, author=removed.key, name=removed.name)
    mentions.forget_author(room, keys, before=person.name, after=removed.name)
    shown = Message.objects.filter(pk__in=[pk for pk in keys if str(pk) in known], deleted_at=None).order_by("pk")
    # It takes the words of the events before it out of the log, as an edit does (Kind.redacts).
    publish_many(NewEvent(room.channel, "message.put", {**event_data(one), "anonymous": True}, key=str(one.pk)) for one in shown)
