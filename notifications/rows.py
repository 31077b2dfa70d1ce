"""What a list shows of one notification, and the fragments that carry it: the same bytes for a page and for a push, for everybody."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.template.loader import get_template
from django.urls import reverse

from notifications import texts, undo
from notifications.models import InboxItem, Notification, Priority
from notifications.undo import Change

_START = datetime(1970, 1, 1, tzinfo=UTC)
# Every list has its own prefix of ids, so that one notification may stand in several lists of a page: the inbox (on the tabs that
# new arrivals belong to), the bell's panel, Home's newest, and the answer beside Home's "Notify me".
INBOX, TOAST = "n", "t"
LISTS = {INBOX: "#inbox-list", "b": "#bell-list", "h": "#home-list", "a": "#try-list"}
# A target that no page has: live.js then takes its regions anew, once, instead of hundreds of rows.
REFETCH = '<i id="n-many" hx-swap-oob="outerMorph"></i>'
MOST_ROWS = 5  # in one event: a payload has 16 KiB, and a row in four-byte characters 2.4

_ICONS = {"sign-in": ("user", "idle"), "broadcast": ("megaphone", "accent"), "room": ("message-square", "accent")}
_ICONS |= {"mention": ("message-square", "accent"), "alert": ("circle-alert", "warn")}
_LOUD = {Priority.CRITICAL: ("triangle-alert", "bad"), Priority.HIGH: ("circle-alert", "warn"), Priority.LOW: ("info", "idle")}


def moment(at: int) -> datetime:
    """Microseconds since 1970 as a time. Raises OverflowError."""
    return _START + timedelta(microseconds=at)


def _microseconds(time: datetime) -> int:
    return (time - _START) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Button:
    """One of a notification's buttons: a link, or one that is pressed."""

    number: int
    label: str
    press: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One notification as lists show it. `at` is when it arrived, in microseconds since 1970: its place in the list."""

    id: int
    title: str
    body: str
    category: str
    priority: int
    actions: tuple[str, ...]  # labels; /inbox/<id>/open/<n>/ knows where they lead
    at: int
    read: bool = False
    archived: bool = False
    snoozed: bool = False
    presses: tuple[int, ...] = ()  # which of the actions (from 1) are pressed and do not lead anywhere
    until: int = 0  # when a snooze ends, in microseconds since 1970

    @classmethod
    def of(
        cls, notification: Notification, *, arrived_at: datetime, read: bool = False, archived: bool = False,
        snoozed_until: datetime | None = None,
    ) -> "Row":  # fmt: skip
        return cls(
            id=notification.pk,
            title=notification.title,
            body=texts.excerpt(notification.words),
            category=notification.category,
            priority=notification.priority,
            actions=tuple(action["label"] for action in notification.actions),
            at=_microseconds(arrived_at),
            read=read,
            archived=archived,
            snoozed=snoozed_until is not None,
            presses=tuple(number for number, action in enumerate(notification.actions, 1) if action.get("method") == "post"),
            until=_microseconds(snoozed_until) if snoozed_until else 0,
        )

    @classmethod
    def of_item(cls, item: InboxItem) -> "Row":
        return cls.of(
            item.notification,
            arrived_at=item.arrived_at,
            read=item.read_at is not None,
            archived=item.archived_at is not None,
            snoozed_until=item.snoozed_until,
        )

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Row":
        """Read what `data` wrote into an event."""
        return cls(**{**data, "actions": tuple(data["actions"]), "presses": tuple(data.get("presses", ()))})

    def data(self) -> dict[str, Any]:
        """As an event carries it."""
        return asdict(self)

    @property
    def place(self) -> str:
        """What lists sort by, descending; compared piece by piece as numbers."""
        return f"{self.at}-{self.id}"

    @property
    def iso(self) -> str:
        return moment(self.at).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def exact(self) -> str:
        """To the millisecond: what is said again within a second is news."""
        return moment(self.at).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def written(self) -> str:
        """The time in words of UTC, until the browser writes its own."""
        return moment(self.at).strftime("%d %b %H:%M")

    @property
    def until_iso(self) -> str:
        """When a snooze ends; empty where nothing says."""
        return moment(self.until).strftime("%Y-%m-%dT%H:%M:%SZ") if self.until else ""

    @property
    def until_written(self) -> str:
        """The same in words of UTC."""
        return moment(self.until).strftime("%d %b %H:%M")

    @property
    def buttons(self) -> tuple["Button", ...]:
        return tuple(Button(number, label, number in self.presses) for number, label in enumerate(self.actions, 1))

    @property
    def icon(self) -> str:
        return self._icon[0]

    @property
    def tone(self) -> str:
        return self._icon[1]

    @property
    def _icon(self) -> tuple[str, str]:
        return _LOUD.get(Priority(self.priority)) or _ICONS.get(self.category, ("bell", "accent"))

    @property
    def loudness(self) -> str:
        return str(Priority(self.priority).label)

    @property
    def critical(self) -> bool:
        return self.priority >= Priority.CRITICAL


def item(row: Row) -> str:
    """A row of the inbox, with its buttons."""
    return get_template("notifications/_item.html").render({"row": row})


def line(row: Row, *, prefix: str) -> str:
    """The same in short, for the smaller lists."""
    return get_template("notifications/_line.html").render({"row": row, "prefix": prefix})


def _copies(row: Row) -> dict[str, str]:
    """The row's markup in each list."""
    short = line(row, prefix=INBOX)
    # The first id in it is ours: user text comes later, and escaped.
    return {prefix: item(row) if prefix == INBOX else short.replace(f'id="n-{row.id}"', f'id="{prefix}-{row.id}"', 1) for prefix in LISTS}


def toast(row: Row) -> str:
    return get_template("notifications/_toast.html").render({"row": row})


# --- fragments ---


def put(row: Row, *, quietly: bool = False, replaces: Iterable[int] = ()) -> str:
    """The fragment for something that arrived: on top of every list, and as a toast. Quietly: only where it is shown already."""
    if quietly:
        return gone(replaces) + replaced([row])
    loud = "" if row.priority <= Priority.LOW else f'<hx-partial hx-target="#toasts" hx-swap="beforeend">{toast(row)}</hx-partial>'
    # Gone first: an upsert leaves a known row where it stands, and news moves to the top.
    return gone([*replaces, row.id]) + placed([row]) + loud


def placed(rows: Iterable[Row]) -> str:
    """The fragment that shows these rows in every list, each at its place; known ones change where they stand."""
    return "".join(
        f'<hx-upsert hx-target="{LISTS[prefix]}" key="data-place" sort="desc">{markup}</hx-upsert>'
        for row in rows
        for prefix, markup in _copies(row).items()
    )


def replaced(rows: Iterable[Row]) -> str:
    """The fragment for rows that changed where they stand. Where they are not shown, nothing happens."""
    return "".join(
        f'<hx-partial hx-target="#{prefix}-{row.id}" hx-swap="outerHTML">{markup}</hx-partial>'
        for row in rows
        for prefix, markup in _copies(row).items()
    )


def toasts_gone(ids: Iterable[int]) -> str:
    """The fragment for what was read on some device: its toast, which stays for critical ones, says nothing new."""
    return "".join(f'<hx-partial hx-target="#{TOAST}-{id}" hx-swap="delete"></hx-partial>' for id in ids)


def gone(ids: Iterable[int]) -> str:
    """The fragment for notifications that are to leave every list and the toasts."""
    return "".join(f'<hx-partial hx-target="#{prefix}-{id}" hx-swap="delete"></hx-partial>' for id in ids for prefix in (*LISTS, TOAST))


def undoable(user: Any, change: Change) -> str:
    """The toast that offers to take a change back."""
    if not change.count:
        return ""
    fields = {"token": undo.token(user, change)}
    context = {"words": change.words, "address": reverse("inbox-undo"), "fields": fields, "seconds": str(undo.OFFERED)}
    return get_template("notifications/_undo.html").render(context)


def undone(count: int) -> str:
    """The toast that takes the offer's place and says how many items are as they were."""
    return get_template("notifications/_undone.html").render({"words": undo.taken_back(count)})
