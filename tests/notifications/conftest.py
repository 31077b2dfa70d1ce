"""Alice sends, bob is in ops, charlie is the stranger; their browsers, and what their channels carry."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery.channel import Event, registry
from core.delivery.history import as_event
from core.models import Event as EventRow
from core.tokens import make_token
from notifications.models import InboxItem
from tests.core.conftest import Api


@pytest.fixture
def browser_of() -> Callable[[Any], Client]:
    """The browser of somebody; of None: of a guest."""

    def make(user: Any) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make


@pytest.fixture
def api_of() -> Callable[..., Api]:
    """The API with a token of somebody's; it may everything, or what `scopes` say."""

    def make(user: Any, *scopes: str) -> Api:
        return Api(make_token(user, "test", scopes or ("notify:*", "broadcast"))[1])

    return make


def carried(channel: str, *, after: int = 0) -> list[Event]:
    """What a channel carries, numbered or not, in its order."""
    return [as_event(row) for row in EventRow.objects.filter(channel=channel, id__gt=after).order_by("id")]


def newest_event() -> int:
    return EventRow.objects.order_by("-id").values_list("id", flat=True).first() or 0


def shown(channel: str, user: Any, *, after: int = 0) -> list[str]:
    """What a person who follows a channel is pushed, as HTML."""
    kind, key = registry.of(channel), channel.partition(":")[2]
    made = []
    for event in carried(channel, after=after):
        personal = kind.is_personal(event)
        made.append(kind.personalise(event, key, [str(user.pk)]).get(str(user.pk), "") if personal else kind.render(event, key))
    return made


def titles(user: Any) -> list[str]:
    """The titles in somebody's inbox rows, newest first."""
    items = InboxItem.objects.filter(user=user, notification__withdrawn_at=None).order_by("-arrived_at", "-notification_id")
    return list(items.values_list("notification__title", flat=True))
