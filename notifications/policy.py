"""Who may send what to whom. A stranger cannot tell refusal from absence."""

from collections.abc import Collection
from typing import Any

from core.delivery.channel import ChannelName, Reader, registry
from notifications.audiences import Audience, members, no_channel
from notifications.errors import NotAllowed, UnknownAudience
from notifications.models import Priority

BROADCAST = "signalbox_notifications.send_broadcast"
ANYBODY = "signalbox_notifications.add_notification"
CRITICAL = "signalbox_notifications.send_critical"


def may_broadcast(user: Any) -> bool:
    return bool(user.is_active and user.has_perm(BROADCAST))


def may_notify_anybody(user: Any) -> bool:
    """Whether this person may notify people she has nothing to do with: staff, or who has the permission."""
    return bool(user.is_active and (user.is_staff or user.has_perm(ANYBODY)))


def check_may_notify(user: Any, audience: Audience) -> None:
    """Let a person notify herself and her own groups; anybody, where she may. Raises UnknownAudience: it must not tell who there is."""
    if may_notify_anybody(user):
        check_may_watch(user, audience)
        return
    own = set(user.groups.values_list("pk", flat=True)) if audience.groups else set()
    within = not (audience.everybody or audience.staff or audience.permissions or audience.watching or audience.chosen is not None)
    if within and set(audience.users) <= {str(user.pk)} and set(audience.groups) <= own:
        return
    raise unknown_to(user)


def still_tellable(sender: Any, people: Collection[Any], priority: Priority) -> set[Any]:
    """Whom of these (primary keys) a person may still tell what she planned: asked again when its time has come. None: she is gone."""
    if sender is None or not sender.is_active or not may_say(sender, priority):
        return set()
    if may_notify_anybody(sender):
        return set(people)
    hers = members(sender.groups.values_list("pk", flat=True))
    return {sender.pk, *(key for row in hers for key in row.values())} & set(people)


def may_watch(user: Any, audience: Audience) -> bool:
    """Whether a person may read the channels whose watchers are meant: how many look at another is nothing that she should learn."""
    reader = Reader(user=str(user.pk), name=user.get_username())
    names = [ChannelName.parse(channel) for channel in audience.channels()]
    return all(registry.of(name).readable([reader], [name.key]) for name in names)


def check_may_watch(user: Any, audience: Audience) -> None:
    """`may_watch`, for notifications and broadcasts alike. Raises UnknownAudience, as for a channel that is not there."""
    if not may_watch(user, audience):
        raise no_channel()


def unknown_to(user: Any) -> UnknownAudience:
    """What somebody is told who may notify only herself and her groups: the words that would do."""
    words = [f"user:{user.get_username()}", *(f"group:{name}" for name in user.groups.order_by("name").values_list("name", flat=True))]
    return UnknownAudience(f"You may notify {', '.join(words)}; there is nobody else for you.", field="audience", allowed=words)


def may_say(user: Any, priority: Priority) -> bool:
    """Whether a person may be so loud: critical passes quiet hours and stays on screens, and needs its own right."""
    return bool(priority != Priority.CRITICAL or user.has_perm(CRITICAL))


def check_priority(user: Any, priority: Priority) -> None:
    """`may_say`, with the words for whoever may not. Raises NotAllowed."""
    if not may_say(user, priority):
        raise NotAllowed("Priority critical needs the permission to send critical notifications.", field="priority", allowed=["high"])
