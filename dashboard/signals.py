"""What this installation tells its own feed, `this-machine/events`: who signed in, and that something was sent. And who lost a board."""

from functools import partial
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete

from dashboard.actions import post_feed, recheck_readers
from dashboard.alerts.actions import rule_goes
from dashboard.models import AlertRule, Dashboard, Role, ShareLink, Widget

FEED = "this-machine/events"


def connect() -> None:
    user_logged_in.connect(signed_in, dispatch_uid="signalbox-feed-sign-in")
    # By name: dashboards and notifications do not know each other.
    post_save.connect(sent, sender="signalbox_notifications.Notification", dispatch_uid="signalbox-feed-sent")

    # Roles are edited in many places, also by deleting a person or a group.
    post_save.connect(_role_changed, sender=Role, dispatch_uid="signalbox-role-saved")
    post_delete.connect(_role_changed, sender=Role, dispatch_uid="signalbox-role-deleted")
    # Revoked, cut short or deleted by hand in the admin, too: whoever watches by it is asked again at once.
    post_save.connect(_link_changed, sender=ShareLink, dispatch_uid="signalbox-link-saved")
    post_delete.connect(_link_changed, sender=ShareLink, dispatch_uid="signalbox-link-deleted")
    post_delete.connect(_dashboard_deleted, sender=Dashboard, dispatch_uid="signalbox-dashboard-deleted")
    pre_delete.connect(_rule_goes, sender=AlertRule, dispatch_uid="signalbox-rule-goes")


def _role_changed(sender: Any, instance: Role, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        recheck_readers(instance.dashboard_id)


def _link_changed(sender: Any, instance: ShareLink, created: bool = False, raw: bool = False, **kwargs: Any) -> None:
    if not (raw or created):
        recheck_readers(instance.dashboard_id)


def _dashboard_deleted(sender: Any, instance: Dashboard, **kwargs: Any) -> None:
    recheck_readers(instance.pk)


def _rule_goes(sender: Any, instance: AlertRule, **kwargs: Any) -> None:
    rule_goes(instance)


def signed_in(sender: Any, user: Any, **kwargs: Any) -> None:
    _tell_on_commit(f"{user.get_username()} signed in")


def sent(sender: Any, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    # Nothing of what it says: the feed has other readers than the notification.
    if created and not raw:
        who = instance.sender.get_username() if instance.sender_id else ""
        _tell_on_commit(f"{who} sent a notification" if who else "A notification was sent")


def _tell_on_commit(text: str) -> None:
    # After commit and robust: whatever becomes of the feed, nobody's sign-in fails for it.
    transaction.on_commit(partial(_tell, text), robust=True)


def _tell(text: str) -> None:
    board, _, slug = FEED.partition("/")
    feed = Widget.objects.filter(dashboard__slug=board, slug=slug).first()
    if feed is not None:
        post_feed(feed, text)
