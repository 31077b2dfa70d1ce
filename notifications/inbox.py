"""What a person's inbox holds: visible items, pages by keyset, filters, counts. Reads only."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q, QuerySet

from notifications.models import InboxItem, Notification

PAGE = 30
PANEL = 10
MAX_QUERY = 200
TABS = {"all": "All", "unread": "Unread", "alert": "Alerts", "mention": "Mentions", "snoozed": "Snoozed", "archived": "Archived"}
BY_CATEGORY = ("alert", "mention")  # tabs that are a category
_IS = ("unread", "read", "unseen", "seen")
_IS_TAB = ("snoozed", "archived")  # `is:` words that are a tab


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asked her inbox for: a tab, `is:` words, `category:` words, and words of text."""

    tab: str = "all"
    unread: bool = False
    read: bool = False
    unseen: bool = False
    seen: bool = False
    categories: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    text: tuple[str, ...] = ()

    @property
    def filters(self) -> bool:
        """Whether anything beyond the tab narrows the list; new arrivals are then not put into it."""
        return self != Query(tab=self.tab)


def read_query(tab: str, text: str) -> Query:
    """Read an address's `tab` and `q`. What is unknown is text to look for; nothing is an error."""
    words = text.replace("\0", "")[:MAX_QUERY].split()
    known = [word for word in words if _is_filter(word)]
    named = next((name for name in _IS_TAB if f"is:{name}" in known), tab)
    return Query(
        tab=named if named in TABS else "all",
        **{name: f"is:{name}" in known for name in _IS},
        categories=tuple(word.removeprefix("category:") for word in known if word.startswith("category:")),
        without=tuple(word.removeprefix("-category:") for word in known if word.startswith("-category:")),
        text=tuple(word for word in words if word not in known),
    )


def _is_filter(word: str) -> bool:
    return word in {f"is:{name}" for name in (*_IS, *_IS_TAB)} or word.startswith(("category:", "-category:"))


def kept(items: QuerySet[InboxItem], *, now: datetime) -> QuerySet[InboxItem]:
    """Those that have arrived, are not withdrawn and not expired; archived and snoozed ones too."""
    lasting = Q(notification__expires_at=None) | Q(notification__expires_at__gt=now)
    return items.filter(lasting, released("notification"), notification__withdrawn_at=None, arrived_at__lte=now)


def released(path: str) -> Q:
    """What need not be asked about again. Planned by somebody, it waits until `work_off_due` has asked whom she may still tell."""
    return Q(**{f"{path}__owner": ""}) | Q(**{f"{path}__delivered_at__isnull": False})


def visible(items: QuerySet[InboxItem], *, now: datetime) -> QuerySet[InboxItem]:
    """The same without what is snoozed."""
    return kept(items.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now)), now=now)


def of(user: Any, *, now: datetime) -> QuerySet[InboxItem]:
    """A person's items that lists may show."""
    return visible(InboxItem.objects.filter(user=user), now=now)


def held(user: Any, *, now: datetime) -> QuerySet[InboxItem]:
    """A person's items, snoozed ones too."""
    return kept(InboxItem.objects.filter(user=user), now=now)


def listed(user: Any, query: Query, *, now: datetime) -> QuerySet[InboxItem]:
    """What a person's inbox shows for a query."""
    if query.tab == "snoozed":
        return _narrowed(held(user, now=now).filter(snoozed_until__gt=now), query)
    return matching(of(user, now=now), query)


def matching(items: QuerySet[InboxItem], query: Query) -> QuerySet[InboxItem]:
    """Narrow a person's visible items to what she asked for."""
    return _narrowed(items.filter(archived_at__isnull=query.tab != "archived"), query)


def _narrowed(items: QuerySet[InboxItem], query: Query) -> QuerySet[InboxItem]:
    if query.tab in BY_CATEGORY:
        items = items.filter(notification__category=query.tab)
    if query.tab == "unread" or query.unread:
        items = items.filter(read_at=None)
    if query.read:
        items = items.filter(read_at__isnull=False)
    if query.unseen or query.seen:
        items = items.filter(seen_at__isnull=query.unseen)
    if query.categories:
        items = items.filter(notification__category__in=query.categories)
    if query.without:
        items = items.exclude(notification__category__in=query.without)
    for word in query.text:
        items = items.filter(Q(notification__title__icontains=word) | Q(notification__body__icontains=word))
    return items


def page(items: QuerySet[InboxItem], *, after: tuple[datetime, int] | None = None, size: int = PAGE) -> list[InboxItem]:
    """The newest items after a place in the list, with their notifications; one more than `size` where there are more."""
    if after is not None:
        arrived_at, notification = after
        items = items.filter(
            Q(arrived_at__lt=arrived_at) | Q(arrived_at=arrived_at, notification_id__lt=notification), arrived_at__lte=arrived_at
        )
    return list(items.select_related("notification").order_by("-arrived_at", "-notification_id")[: size + 1])


def unread_among(user: Any, ids: Collection[int], *, now: datetime) -> list[int]:
    """Which of these notifications wait in her inbox to be read."""
    items = of(user, now=now).filter(notification__in=ids, read_at=None, archived_at=None)
    return sorted(items.values_list("notification_id", flat=True))


def withdrawn(ids: Iterable[int]) -> set[int]:
    """Which of these notifications have been withdrawn, or have expired."""
    return set(Notification.objects.filter(pk__in=list(ids), withdrawn_at__isnull=False).values_list("pk", flat=True))


@dataclass(frozen=True, slots=True)
class Counts:
    """What the badge (unseen), the rail and the tabs (unread) say."""

    unseen: int = 0
    unread: int = 0
    alert: int = 0
    mention: int = 0


def counts(users: Collection[str], *, now: datetime) -> Mapping[str, Counts]:
    """The counts of each of these people (primary keys as text), in one query."""
    keys = {user: key for user in users if (key := key_of(user)) is not None}
    waiting = visible(InboxItem.objects.filter(user__in=list(keys.values()), read_at=None, archived_at=None), now=now)
    # count(column) leaves NULLs out: what is read is seen, so that unseen is unread less what was seen.
    each = waiting.order_by().values("user_id")
    found = each.annotate(unread=Count("pk"), seen=Count(F("seen_at")), alert=_in_category("alert"), mention=_in_category("mention"))
    by_key: dict[Any, Counts] = {
        row["user_id"]: Counts(row["unread"] - row["seen"], row["unread"], row["alert"], row["mention"]) for row in found
    }
    return {user: by_key.get(keys.get(user), Counts()) for user in users}


def _in_category(name: str) -> Count:
    return Count("pk", filter=Q(notification__category=name))


def key_of(user: str) -> Any:
    """A person's primary key, from its text; None where the text can be none."""
    try:
        return get_user_model()._meta.pk.to_python(user)
    except ValidationError:
        return None
