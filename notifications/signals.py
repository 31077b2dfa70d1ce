"""Notifications that Django's own signals set off: `notify_on(Model, ...)`, and the new sign-in from another browser."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_save
from django.http import HttpRequest
from django.urls import reverse

from core import browsers
from notifications.actions import notify
from notifications.models import KnownBrowser, Priority

Value = object | Callable[[Any], object]


def notify_on(
    model: type[Model],
    *,
    audience: Value,
    title: Value = "",
    body: Value = "",
    url: Value = "",
    category: str = "",
    priority: Priority = Priority.NORMAL,
    key: Value = "",
    changes: bool = False,
    when: Callable[[Any], bool] = lambda instance: True,
) -> "Notifying":
    """Notify whenever a row of this model is made (with `changes`: also whenever it is saved again), if its transaction commits.

    Audience and texts are values, or functions of the instance; `when` says which instances count. Returns what disconnects it.

        notify_on(Order, audience="group:sales", title=lambda order: f"Order {order.number}", url=lambda order: order.get_absolute_url())

    As a decorator, of a function that says what is said, or None for nothing:

        @notify_on(Order, audience="group:sales")
        def order_made(order):
            return {"title": f"Order {order.number}", "url": order.get_absolute_url()}
    """
    said: dict[str, Value] = {"title": title, "body": body, "url": url, "key": key}
    texts = {name: value for name, value in said.items() if value != ""}
    return Notifying(model, audience, texts, {"category": category, "priority": priority}, changes=changes, when=when)


class Notifying:
    """What tells of a model's rows. Called without anything it stops; called with a function it asks that what to say."""

    def __init__(
        self, model: type[Model], audience: Value, texts: Mapping[str, Value], others: Mapping[str, Any], *, changes: bool,
        when: Callable[[Any], bool],
    ) -> None:  # fmt: skip
        self._model, self._audience, self._texts, self._others = model, audience, texts, others
        self._changes, self._when = changes, when
        self._says: Callable[[Any], Mapping[str, Any] | None] = lambda instance: {}
        if "title" in texts:
            post_save.connect(self._told, sender=model, weak=False)

    def __call__(self, says: Callable[[Any], Mapping[str, Any] | None] | None = None) -> Any:
        if says is None:
            post_save.disconnect(self._told, sender=self._model)
            return None
        self._says = says
        post_save.connect(self._told, sender=self._model, weak=False)
        says.disconnect = self  # type: ignore[attr-defined]
        return says

    def _told(self, instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
        # raw: a fixture is being loaded, and what it tells of has happened elsewhere.
        if raw or not (created or self._changes) or not self._when(instance):
            return
        said = self._says(instance)
        if said is None:
            return
        texts = {name: str(_value(value, instance)) for name, value in self._texts.items()}
        with transaction.atomic():
            notify(_value(self._audience, instance), **{**self._others, **texts, **said})


def _value(value: Value, instance: Any) -> object:
    # Users and groups are not callable; a queryset's class is, but not a queryset.
    return value(instance) if callable(value) else value


def connect() -> None:
    """Called once, in AppConfig.ready."""
    if settings.TELL_STAFF_OF_NEW_USERS:
        tell_staff_of_new_users()
    user_logged_in.connect(tell_of_new_browser, dispatch_uid="signalbox_new_browser")


def tell_staff_of_new_users() -> Callable[[], None]:
    """Let the staff hear of every new user; TELL_STAFF_OF_NEW_USERS switches it on. Returns what ends that."""
    model = get_user_model()
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return notify_on(
        model,
        audience="staff",
        title=lambda user: f"New user: {user.get_username()[:150]}",
        url=lambda user: reverse(page, args=[user.pk]),
        category="new-user",
    )


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
