"""Notifications that Django's own signals set off: `notify_on(Model, ...)`, and the new sign-in from another browser."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_save
from django.http import HttpRequest

from core import browsers
from notifications.actions import notify
from notifications.models import KnownBrowser, Priority

Value = object | Callable[[Any], object]


def notify_on(
    model: type[Model],
    *,
    audience: Value,
    title: Value,
    body: Value = "",
    url: Value = "",
    category: str = "",
    priority: Priority = Priority.NORMAL,
    key: Value = "",
    changes: bool = False,
    when: Callable[[Any], bool] = lambda instance: True,
) -> Callable[[], None]:
    """Notify whenever a row of this model is made (with `changes`: also whenever it is saved again), if its transaction commits.

    Audience and texts are values, or functions of the instance; `when` says which instances count. Returns what disconnects it.

        notify_on(Order, audience="group:sales", title=lambda order: f"Order {order.number}", url=lambda order: order.get_absolute_url())
    """

    def told(instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
        # raw: a fixture is being loaded, and what it tells of has happened elsewhere.
        if raw or not (created or changes) or not when(instance):
            return

        def text(value: Value) -> str:
            return str(_value(value, instance))

        with transaction.atomic():
            notify(
                _value(audience, instance),
                title=text(title),
                body=text(body),
                url=text(url),
                key=text(key),
                category=category,
                priority=priority,
            )

    post_save.connect(told, sender=model, weak=False)

    def disconnect() -> None:
        post_save.disconnect(told, sender=model)

    return disconnect


def _value(value: Value, instance: Any) -> object:
    # Users and groups are not callable; a queryset's class is, but not a queryset.
    return value(instance) if callable(value) else value


def connect() -> None:
    """Called once, in AppConfig.ready."""
    user_logged_in.connect(tell_of_new_browser, dispatch_uid="signalbox_new_browser")


def tell_of_new_browser(sender: object, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Tell a person of a sign-in from a browser that she has not used before. Her first one is no news."""
    if request is None:
        return
    name = browsers.named(request.headers.get("User-Agent", ""))
    with transaction.atomic():
        _, new = KnownBrowser.objects.get_or_create(user=user, name=name)
        if new and KnownBrowser.objects.filter(user=user).count() > 1:
            notify(
                user,
                title=f"New sign-in from {name}",
                body="If this was not you, end that session and change your password.",
                url="/accounts/sessions/",
                category="sign-in",
            )
