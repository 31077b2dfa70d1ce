"""One of everything that Signalbox keeps, and the people before its doors: what the tables of permissions are tried on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone


@dataclass
class World:
    """What there is, and who may have it."""

    people: dict[str, Any]
    values: dict[str, dict[str, Any]]  # what stands for the parts of an address, by its first word


def make_world(alice: Any, bob: Any, charlie: Any) -> World:
    """alice owns all that is here, and has every permission; bob may look at the board, is in the room, and was sent the notification."""
    from core.models import SignIn
    from dashboard import actions as boards
    from dashboard.models import Access, AlertRule, Dashboard, Role, Widget
    from notifications import actions as notifications
    from notifications import unsubscribing
    from notifications.models import PushSubscription
    from notifications.rooms import actions as rooms
    from notifications.rooms.models import Membership, Room
    from notifications.rooms.people import Person

    alice.user_permissions.add(*Permission.objects.filter(content_type__app_label__startswith="signalbox"))
    alice.is_superuser = True
    alice.save()
    staff = get_user_model().objects.create_user("dave", "dave@example.com", "dave-password", is_staff=True)
    board = boards.save_dashboard(Dashboard(slug="ops", title="Ops", access=Access.ROLES, owner=alice))
    Role.objects.create(dashboard=board, user=bob, level=Role.Level.VIEW)
    widget = boards.save_widget(Widget(dashboard=board, slug="queue", kind="stat", title="Queue"))
    boards.record("ops/queue", 42)
    room = rooms.open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(alice))
    Membership.objects.create(room=room, user=bob)
    message = rooms.post_message(room, author=Person.of_user(bob), text="Hello")
    press = {"label": "Again", "url": "/inbox/try/", "method": "post"}
    sent = notifications.notify(bob, title="x", url="/dashboards/", actions=[press], sender=alice)
    broadcast = notifications.broadcast("all", title="Hear", sender=alice)
    rule = AlertRule.objects.create(widget=widget, name="High", condition=AlertRule.Condition.ABOVE, high=10)
    _, share = boards.make_link(board, by=alice)
    device = PushSubscription.objects.create(user=bob, endpoint="https://push.example/1", endpoint_hash="1")
    now = timezone.now()
    session = SignIn.objects.create(user=bob, session_key="s" * 32, last_seen=now, expires_at=now + timedelta(days=1))
    values = {
        "accounts": {"pk": session.pk},
        "inbox": {"pk": sent.id, "user": bob.pk, "action": 1, "verb": "read"},
        "preferences": {"pk": device.pk},
        "unsubscribe": {"token": unsubscribing.link(bob, "general", "email").rstrip("/").rpartition("/")[2]},
        "dashboards": {"slug": "ops", "widget": "queue", "pk": rule.pk},
        "d": {"token": share, "widget": "queue"},
        "rooms": {"slug": "club", "message_id": message.pk},
        "admin": {"pk": broadcast.pk, "verb": "pause", "user": bob.pk},
    }
    return World({"visitor": None, "stranger": charlie, "member": bob, "owner": alice, "staff": staff}, values)
