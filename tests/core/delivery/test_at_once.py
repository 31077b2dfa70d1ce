"""Publishing outside any transaction: one statement inserts and numbers, and what is not free for that is numbered as ever."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from core.delivery import at_once, history, sequencer
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Channel, Event

pytestmark = pytest.mark.django_db(transaction=True)


def say(text: str, channel: str = "testlog:a") -> None:
    publish(channel, "line", {"text": text})


def texts(channel: str = "testlog:a") -> list[str]:
    return [event.data["text"] for event in history.stretch(channel, 0).events]


@pytest.fixture
def numbered_by_sequencer(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The channels that the sequencer was asked for."""
    asked: list[str] = []
    real = sequencer.sequence

    def sequence(channels: list[str], **given: object) -> sequencer.Outcome:
        asked.extend(channels)
        return real(channels, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(sequencer, "sequence", sequence)
    return asked


def test_outside_a_transaction_the_insert_numbers_once_the_channel_has_its_row(numbered_by_sequencer: list[str]) -> None:
    say("makes the row")
    assert numbered_by_sequencer == ["testlog:a"]
    say("second")
    publish_many([NewEvent("testlog:a", "line", {"text": text}, key="k") for text in ("third", "fourth")])
    assert numbered_by_sequencer == ["testlog:a"] and texts() == ["makes the row", "second", "third", "fourth"]
    assert Channel.objects.get(pk="testlog:a").head == 4


def test_one_statement_numbers_on_several_channels_and_leaves_the_new_ones_to_the_sequencer(numbered_by_sequencer: list[str]) -> None:
    for channel in ("testlog:a", "testlog:b"):
        say("first", channel)
    numbered_by_sequencer.clear()
    channels = ("testlog:a", "testlog:new", "testlog:b", "testlog:a")
    ids = publish_many([NewEvent(channel, "line", {"text": str(n)}) for n, channel in enumerate(channels)])
    assert ids == sorted(ids) and numbered_by_sequencer == ["testlog:new"]
    assert [texts(name) for name in ("testlog:a", "testlog:b", "testlog:new")] == [["first", "0", "3"], ["first", "2"], ["1"]]


def test_in_a_transaction_on_a_state_channel_and_where_a_kind_notes_offsets_the_sequencer_numbers(numbered_by_sequencer: list[str]) -> None:
    for _ in range(2):
        with transaction.atomic():
            say("in a transaction")
        publish("teststate:a", "value", {"value": 1}, key="x")
    assert numbered_by_sequencer == ["testlog:a", "teststate:a"] * 2
    rows = [NewEvent("room:7", "message", {}), NewEvent("testlog:a", "line", {})]
    assert not at_once.may_be(rows, using="default") and at_once.may_be(rows[1:], using="default")  # type: ignore[arg-type]


def test_an_event_that_waits_is_not_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    say("first")
    with monkeypatch.context() as dead:
        dead.setattr(sequencer, "sequence_committed", lambda events: None)
        with transaction.atomic():
            say("left by a publisher that died")
    assert Event.objects.filter(offset__isnull=True).count() == 1
    say("later")
    assert texts() == ["first", "left by a publisher that died", "later"]


def test_what_the_database_refuses_leaves_neither_a_row_nor_a_moved_head() -> None:
    say("first")
    Event.objects.create(channel="testlog:a", type="line", data="{}", offset=3)  # where the second of the next two would stand
    with pytest.raises(DatabaseError):
        publish_many([NewEvent("testlog:a", "line", {"text": text}) for text in "ab"])
    assert Event.objects.count() == 2 and Channel.objects.get(pk="testlog:a").head == 1


def test_where_django_is_told_not_to_commit_by_itself_nothing_is_numbered_before_the_commit() -> None:
    say("first")
    connection.set_autocommit(False)
    try:
        with pytest.raises(transaction.TransactionManagementError):
            say("nobody would learn when this commits")
        connection.rollback()
    finally:
        connection.set_autocommit(True)
    assert texts() == ["first"] and Channel.objects.get(pk="testlog:a").head == 1


@pytest.mark.postgres
def test_on_postgres_it_is_one_statement_that_waits_for_nobody_and_carries_every_text(printed: Callable[[str], list[str]]) -> None:
    assert printed(_SCRIPT) == [
        "while somebody holds the row: [1, None]",
        "once it is free: [1, 2, 3]",
        "while others wait: [1, 2, 3, None, None]",
        "looked after: [1, 2, 3, 4, 5]",
        "as they were, in their order",
        "refused: 505 505, autocommit IDLE",
    ]


_SCRIPT = r"""
import psycopg
from django.db import DatabaseError, connection

from core.delivery import at_once, sequencer, wire
from core.delivery.publishing import NewEvent, publish, publish_many
from core.models import Channel, Event

def offsets():
    return list(Event.objects.order_by("id").values_list("offset", flat=True))

def say(text):
    publish("testlog:a", "line", {"text": text})

say("makes the channel's row")
connection.ensure_connection()
with psycopg.connect(connection.connection.info.dsn, password=connection.settings_dict["PASSWORD"]) as other:
    other.execute("SELECT 1 FROM signalbox_channel WHERE name = 'testlog:a' FOR NO KEY UPDATE")
    say("while it is held")
    print("while somebody holds the row:", offsets())
say("afterwards")
print("once it is free:", offsets())

real, sequencer.sequence_committed = sequencer.sequence_committed, lambda events: None
Event.objects.create(channel="testlog:a", type="line", data="{}")
say("behind it")
print("while others wait:", offsets())
sequencer.sequence_committed = real
sequencer.sequence_channels(["testlog:a"])
print("looked after:", offsets())

odd = ["NULL", "", "{}", "a,b", "'", '"', "\\", "\\'\"\\\\", "%s %(x)s", "\t\r\n", chr(0x1F642), "{\"a\":\"\\\"\"}"]
texts = [odd[n % len(odd)] + str(n) for n in range(500)]
ids = publish_many([NewEvent("testlog:a", "line", {"text": text}, key=odd[n % len(odd)]) for n, text in enumerate(texts)])
rows = list(Event.objects.filter(id__in=ids).order_by("offset").values_list("id", "data", "key", "major", "minor", "slot"))
same = [id for id, *_ in rows] == ids == sorted(ids) and [wire.load(data)["text"] for _, data, *_ in rows] == texts
same = same and [rest for _, _, *rest in rows] == [[odd[n % len(odd)], None, 0, ""] for n in range(500)]
print("as they were, in their order" if same else rows[:3])

Event.objects.create(channel="testlog:a", type="line", data="{}", offset=507)
try:
    publish_many([NewEvent("testlog:a", "line", {"text": text}) for text in "ab"])
except DatabaseError:
    commits = "autocommit" if connection.get_autocommit() else "no autocommit"
    head = Channel.objects.get(pk="testlog:a").head
    print(f"refused: {Event.objects.count() - 1} {head}, {commits} {connection.connection.info.transaction_status.name}")
"""
