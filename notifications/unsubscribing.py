"""The link in a mail that ends such mails: signed, so that it works without signing in, and says nothing but whose and which."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import ValidationError
from django.urls import reverse

from notifications import categories, transports
from notifications.models import Preference

_SALT = "signalbox.unsubscribe"
MAX_TOKEN = 400


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link ends: one category, one way, for one person."""

    user: Any
    category: categories.Category
    transport: str

    @property
    def label(self) -> str:
        known = transports.of(self.transport)
        return known.label if known else self.transport


def link(user: Any, category: str, transport: str) -> str:
    """The whole address; empty for what nobody can switch off."""
    kind = categories.of(category)
    if transport in kind.mandatory:
        return ""
    token = signing.dumps([str(user.pk), kind.name, transport], salt=_SALT)
    return settings.BASE_URL + reverse("unsubscribe", args=[token])


def read(token: str) -> Subscription | None:
    """What a link ends; None where it is not one of ours. It does not expire: mails are kept for years."""
    if len(token) > MAX_TOKEN:
        return None
    try:
        key, name, transport = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return None
    try:
        user = get_user_model()._default_manager.filter(pk=key).first()
    except (ValidationError, ValueError):
        return None
    return Subscription(user, categories.of(name), transport) if user is not None else None


def end(subscription: Subscription) -> None:
    """From now on nothing of this category goes this way to her. What is due already is not sent."""
    Preference.objects.update_or_create(
        user=subscription.user, category=subscription.category.name, transport=subscription.transport, defaults={"enabled": False}
    )


def begin_again(subscription: Subscription) -> None:
    """Take it back."""
    Preference.objects.update_or_create(
        user=subscription.user, category=subscription.category.name, transport=subscription.transport, defaults={"enabled": True}
    )
