"""Alerts of other apps become notifications: one item in each inbox for each matter, changed where it stands."""

from django.contrib.auth import get_user_model

from core.sinks import Alert
from notifications.actions import notify
from notifications.models import Priority

CATEGORY = "alert"


def take(alert: Alert) -> None:
    """Tell the people an alert is for. In the caller's transaction; raises BadNotification."""
    people = get_user_model()._default_manager.filter(pk__in=alert.people)
    notify(
        people,
        title=alert.title,
        body=alert.body,
        url=alert.url,
        category=CATEGORY,
        priority=Priority(alert.priority),
        key=alert.key,
        channel=alert.channel,
    )
