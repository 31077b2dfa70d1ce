"""What the demo's people find in their inboxes."""

from core.demo import People
from notifications.actions import notify
from notifications.models import InboxItem, Notification

KEY = "demo-welcome"


def make(people: People) -> None:
    """Welcome each of them, once: a second run changes nothing."""
    for person in (people.alice, people.bob, people.charlie):
        if not InboxItem.objects.filter(user=person, notification__in=Notification.objects.filter(owner="", key=KEY)).exists():
            notify(
                person,
                title="Welcome to Signalbox",
                body="What you are told arrives here, on every page and device at once. Try “Notify me” on the home page.",
                url="/",
                key=KEY,
            )
