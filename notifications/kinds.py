"""The channels of this app: `user:` and `audience:` logs, and `broadcast:` with a broadcast's progress."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.template.loader import get_template
from django.utils import timezone

from core.delivery.channel import Event, EventType, Keeps, Kind, Reader, Window
from core.delivery.executor import submit
from core.delivery.hub import hub
from notifications import actions, inbox, muting, rows
from notifications.broadcasts import progress, standing
from notifications.broadcasts.showing import progress_html
from notifications.rows import Row


class UserKind(Kind):
    """What one person is told, and what she does with it: read by her only."""

    name = "user"
    window = Window(newest=200)
    types = (
        EventType("notification.put", dirties=True),
        EventType("notification.gone", dirties=True),
        EventType("notification.state", dirties=True),
        EventType("counts", ephemeral=True),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        wanted = set(keys)
        return {(reader, reader.user) for reader in readers if reader.user and reader.user in wanted}

    def resolve(self, name: str) -> str | None:
        """A user name, or a key."""
        model: Any = get_user_model()
        key = inbox.key_of(name)
        named = Q(**{model.USERNAME_FIELD: name})
        found = model._default_manager.filter(named if key is None else named | Q(pk=key)).values_list("pk", model.USERNAME_FIELD)
        known = {str(pk): user_name for pk, user_name in found}
        return next((pk for pk, user_name in known.items() if user_name == name), next(iter(known), None))

    def names(self, reader: Reader) -> list[str]:
        """Her own channel, by her user name."""
        model: Any = get_user_model()
        return list(model._default_manager.filter(pk=inbox.key_of(reader.user)).values_list(model.USERNAME_FIELD, flat=True))

    def render(self, event: Event, key: str) -> str:
        data = event.data
        if event.type == "notification.put":
            return rows.put(Row.of_data(data["row"]), quietly=data["quiet"], replaces=data["replaces"])
        if event.type == "notification.gone":
            return rows.gone(data["ids"])
        return _STATES[data["what"]](data) if event.type == "notification.state" else ""

    def is_personal(self, event: Event) -> bool:
        # What is put back into lists may be a broadcast's row, and that it was withdrawn comes on another channel: perhaps sooner.
        back = event.data.get("back") if event.type == "notification.put" else event.data.get("what") in _PUT_BACK
        return bool(back) and not event.data.get("many")

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        """The same without what has been withdrawn meanwhile: it does not come back."""
        shown = [event.data["row"]] if event.type == "notification.put" else event.data["rows"]
        gone = inbox.withdrawn(row["id"] for row in shown)
        if event.type == "notification.put":
            html = rows.gone(gone) if gone else self.render(event, key)
        else:
            kept = {**event.data, "rows": [row for row in shown if row["id"] not in gone]}
            html = rows.gone(gone) + _STATES[kept["what"]](kept)
        return dict.fromkeys(users, html)

    def on_signal(self, reader: Reader, key: str, what: str, items: Sequence[str]) -> None:
        ids = [int(item) for item in items if item.isascii() and item.isdigit() and len(item) < 19]
        if what == "seen" and reader.user == key and ids:
            submit(actions.seen_on_screen, key, ids)

    def counts(self, users: Collection[str]) -> Mapping[str, str]:
        found = inbox.counts(users, now=timezone.now())
        made = {counts: counts_html(counts) for counts in set(found.values())}  # of a thousand people most have the same
        return {user: made[counts] for user, counts in found.items()}

    def snapshot(self, key: str) -> list[Mapping[str, Any]]:
        """The newest rows of her inbox, as the events that would show them."""
        now = timezone.now()
        items = inbox.page(inbox.matching(inbox.of(inbox.key_of(key), now=now), inbox.Query()), size=inbox.PANEL)[: inbox.PANEL]
        return [
            {
                "type": "notification.put",
                "key": str(item.notification_id),
                "data": {"row": Row.of_item(item).data(), "quiet": False, "replaces": []},
                "at": item.arrived_at.timestamp(),
            }
            for item in reversed(items)
        ]


def _many(data: Mapping[str, Any]) -> str:
    return rows.REFETCH


def _read(data: Mapping[str, Any]) -> str:
    if data.get("many"):
        return _many(data)
    return rows.replaced(map(Row.of_data, data["rows"])) + rows.toasts_gone(row["id"] for row in data["rows"])


def _at_place(data: Mapping[str, Any]) -> str:
    if data.get("many"):
        return _many(data)
    found = [Row.of_data(row) for row in data["rows"]]
    # What is archived or snoozed changes where it is shown, and comes into no list of what has arrived.
    away = [row for row in found if row.archived or row.snoozed]
    return rows.placed(row for row in found if row not in away) + rows.replaced(away)


def _away(data: Mapping[str, Any]) -> str:
    return _many(data) if data.get("many") else rows.gone(row["id"] for row in data["rows"])


def _back(data: Mapping[str, Any]) -> str:
    return _many(data) if data.get("many") else _away(data) + _at_place(data)


# Unread and unarchived rows may be missing from a list that is open: put them where they belong.
_STATES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "seen": lambda data: "",
    "given": lambda data: "",  # a broadcast's row, to whoever came sooner than the worker: it shows already, and counts from now on
    "read": _read,
    "unread": _at_place,
    "archived": _away,
    "unarchived": _back,
    "snoozed": _away,
    "unsnoozed": _back,
    "filters": lambda data: rows.REFETCH,
    "quiet": lambda data: rows.REFETCH,
    "muted": lambda data: muting.fragment(data["channel"], data["level"]),
}


_PUT_BACK = ("unread", "unarchived", "unsnoozed")


def counts_html(counts: inbox.Counts) -> str:
    """The fragment that sets the badge, the rail's number and the inbox's tabs wherever they are."""
    context = {"unseen": counts.unseen, "unread": counts.unread}
    parts = {"#badge": get_template("notifications/_badge.html").render(context)}
    parts["#rail-inbox"] = get_template("notifications/_rail_count.html").render(context)
    tab = get_template("notifications/_tab_count.html")
    for name in ("unread", *inbox.BY_CATEGORY):
        parts[f"#inbox-{name}"] = tab.render({"name": name, "count": getattr(counts, name)})
    return "".join(f'<hx-partial hx-target="{target}" hx-swap="outerHTML">{html}</hx-partial>' for target, html in parts.items())


class AudienceKind(Kind):
    """What many people are told at once. `all`, `staff`, or `group-<pk>`."""

    name = "audience"
    types = (
        EventType("broadcast.put"),  # counted when the rows stand: `inbox.grew`
        EventType("broadcast.gone", dirties=True),
        EventType("inbox.grew", dirties=True),
        EventType("roll.call", ephemeral=True),
    )

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        people = [reader for reader in readers if reader.user]
        facts = standing.facts({reader.user for reader in people})
        return {(reader, key) for reader in people for key in keys if standing.belongs(facts.get(reader.user), key)}

    def resolve(self, name: str) -> str | None:
        return name if standing.is_key(name) else None

    def names(self, reader: Reader) -> list[str]:
        return sorted(key for _, key in self.readable([reader], ["all", "staff"]))

    def render(self, event: Event, key: str) -> str:
        if event.type == "roll.call":
            # Nothing to show: this process is asked whom of a broadcast's people it serves.
            submit(standing.answer_roll_call, event.data["broadcast"], hub.id, hub.users())
        return rows.gone([event.data["id"]]) if event.type == "broadcast.gone" else ""

    def is_personal(self, event: Event) -> bool:
        # The channel may reach people who are not meant, and who catches up may have read it elsewhere.
        return event.type == "broadcast.put"

    def personalise(self, event: Event, key: str, users: Collection[str]) -> Mapping[str, str]:
        notification, states = standing.of_people(event.data["broadcast"], users)
        if notification is None:
            return {}
        made: dict[standing.State, str] = {}
        for state in set(states.values()):
            row = Row.of(notification, arrived_at=state.arrived_at, read=state.read)
            made[state] = self._shown(row, loud=not (state.seen or event.data.get("again")))
        return {user: made[state] for user, state in states.items()}

    def _shown(self, row: Row, *, loud: bool) -> str:
        return rows.put(row) if loud else rows.placed([row])

    def dirtied(self, event: Event, key: str, users: Collection[str]) -> Iterable[str]:
        if event.type != "inbox.grew":
            return users
        return standing.between(users, event.data["first"], event.data["last"])


class BroadcastKind(Kind):
    """A broadcast's progress, for those who may send."""

    name = "broadcast"
    keeps = Keeps.STATE
    pace: ClassVar[float] = 0.2
    has_presence = True  # seen and read are counted while somebody looks
    types = (EventType("progress"),)

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        senders = standing.senders({reader.user for reader in readers if reader.user})
        return {(reader, key) for reader in readers if reader.user in senders for key in keys}

    def resolve(self, name: str) -> str | None:
        return name if name.isascii() and name.isdigit() and len(name) < 19 else None

    def render(self, event: Event, key: str) -> str:
        return progress_html(int(key), event.data)

    def snapshot(self, key: str) -> list[Mapping[str, Any]]:
        return progress.events(int(key))
