"""Hub, connections and pages against a model, with a layer that drops, doubles and reorders, a slow database, trims and new epochs.

Everything of the product is real but the database, which is the model, and the socket, which is a list. Nothing waits for a clock.
The suite plays few examples, always the same. PROPERTY=2000 plays that many, new ones every time; a failure is then made small.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

import pytest
from django.conf import settings
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from core.delivery import arrivals as arrivals_module
from core.delivery import fanout, history, identity, reading, recheck
from core.delivery import topic as topic_module
from core.delivery.arrivals import Arrivals
from core.delivery.authority import CHANNEL as AUTHORITY
from core.delivery.channel import ChannelName, Event, Kind, Reader, registry
from core.delivery.connection import Connection, Join, Rate
from core.delivery.fanout import FanOut
from core.delivery.forms import HtmlForm
from core.delivery.hub import Hub
from core.delivery.identity import Credential
from core.delivery.position import Position, Range
from core.delivery.reading import Reading
from core.delivery.topic import Topic
from tests.chaos.view import Ask, Effect, View
from tests.core.delivery.model import (
    CATCH_UP,
    KEYS,
    SILENCE,
    Page,
    PropertyLog,
    PropertyPersonal,
    PropertyQuiet,
    PropertyState,
    Question,
    Table,
    Wire,
)

RING = 8
PAGES = 3
keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)
pages = st.integers(0, PAGES - 1)


class Delivery(RuleBasedStateMachine):
    """The rules may happen in any order and number; `settle` gives everything the time that it needs."""

    kind: ClassVar[type[Kind]]

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        kind = self.kind()
        registry.register(kind)
        self.table = Table(kind)
        self.flying: list[tuple[Range, list[Event]]] = []  # on the layer
        self.questions: list[tuple[Question, asyncio.Future[Any]]] = []  # to the database, not answered yet
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task[None]] = set()
        self._patch.setattr(settings, "CATCH_UP", CATCH_UP)
        self._patch.setattr(topic_module, "RING", RING)
        self._patch.setattr(fanout, "PACE", 3600.0)
        self._patch.setattr(fanout, "SILENCE", SILENCE)
        self._patch.setattr(arrivals_module, "GATHER", 0)
        for module in (arrivals_module, fanout, reading, recheck):
            self._patch.setattr(module, "on_executor", self.ask)
        self.begin()
        self.pages = [Page(self.table, str(index)) for index in range(PAGES)]

    def begin(self) -> None:
        """A web process starts."""
        self.hub = Hub()
        self.arrivals = Arrivals(self.hub)
        self.hub.topic(ChannelName.parse(AUTHORITY)).open("0", 0)
        self.hub.recheck.ready.set()

    # --- the world around ---

    async def ask(self, function: Callable[..., Any], *given: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        self.questions.append(((function, given), future))
        return await future

    def answer(self, question: Question) -> Any:
        function, given = question
        table = self.table
        if function is identity.readers:
            return {credential: Reader(user=credential.guest) for credential in given[0]}
        if function is recheck.readable:
            return _all_readable(given[0])
        if function is recheck._ask:
            readers = {credential: Reader(user=credential.guest) for credential, _ in given[0]}
            return readers, {(readers[credential], name) for credential, names in given[0] for name in names}
        if function is history.standings:
            return {name: history.Standing(table.epoch, table.head, table.tail) for name in given[0]}
        if function is fanout._personalise:
            return function(*given)
        assert function is history.stretches, function
        return {name: table.stretch(after) for name, after in given[0].items()}

    def step(self) -> None:
        async def some() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(some())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(self.loop.create_task(work))
        self.step()
        self.tasks = {task for task in self.tasks if not task.done() or task.result()}  # raises what went wrong

    def now(self, act: Callable[[], object]) -> None:
        """Do something that wants a running loop."""

        async def acting() -> None:
            act()

        self.run(acting())

    # --- rules: events and the layer. Hypothesis takes rules with equal chances: what is common is one rule, what is rare shares one ---

    @rule(keys=keys, gone=st.booleans())
    def publish(self, keys: list[str], gone: bool) -> None:
        self.flying.append(self.table.publish(keys, gone=gone))

    @rule(keys=keys, lost=st.sets(st.integers(0, 3)), doubled=st.booleans(), full=st.sets(pages))
    def publish_some(self, keys: list[str], lost: set[int], doubled: bool, full: set[int]) -> None:
        """Four batches, some of them lost, at once and in this order; some sockets have become full."""
        for index in full:
            self.credit(index, True)
        for number in range(4):
            batch = self.table.publish(keys)
            for _ in range(0 if number in lost else 2 if doubled else 1):
                self._arrive(batch)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), keeps=st.booleans())
    def deliver(self, data: st.DataObject, keeps: bool) -> None:
        """Any one of them: that is how they are reordered. What the layer keeps comes again."""
        place = data.draw(st.integers(0, len(self.flying) - 1))
        self._arrive(self.flying[place] if keeps else self.flying.pop(place))

    def _arrive(self, message: tuple[Range, list[Event]]) -> None:
        self.run(self.hub.fanout.on_batch(str(self.table.name), *message))

    # --- rules: the hub and the database ---

    @rule()
    def poll(self) -> None:
        name, table = str(self.table.name), self.table
        self.now(lambda: self.hub.reading._compare([name], table.epoch, {name: table.head}))

    @rule()
    def flush(self) -> None:
        topic = self.hub.topics.get(str(self.table.name))
        if topic is not None and topic.flush_planned:
            self.run(self.hub.fanout._flush(topic))

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), late=st.booleans())
    def database_answers(self, data: st.DataObject, late: bool) -> None:
        """What it read; `late` has the answer lie about while somebody publishes."""
        question, future = self.questions.pop(data.draw(st.integers(0, len(self.questions) - 1)))
        answer = self.answer(question)
        if late:
            self.publish(["a"], gone=False)
        if not future.done():
            future.set_result(answer)
        self.step()

    @rule()
    def quiet_moment(self) -> None:
        """Everybody is there, and what is under way ends; what was lost stays lost."""
        for _ in range(3):
            self._answer_all()
            self.flush()
            for index in range(PAGES):
                self.connect(index)
                self.read(index, 100)
                self.region_arrives(index)

    @rule(what=st.sampled_from(["trim", "settle", "check", "settle", "restore", "restart"]), number=st.integers(0, 5))
    def something_rare(self, what: str, number: int) -> None:
        if what == "trim":
            self.table.trim(self.table.head - number)
        elif what == "settle":
            self.settle()
        elif what == "restore":
            self.table.restore(number)
        elif what == "check":  # rights are asked again: nobody gets anything meanwhile
            self.now(lambda: self.hub.recheck.hold(list(self.hub.connections)))
        else:
            self._restart()

    def _restart(self) -> None:
        """The web process is killed; the next one knows nothing."""
        for index in range(PAGES):
            self.disconnect(index)
        self._end_tasks()
        self.begin()

    # --- rules: pages ---

    @rule(index=pages)
    def connect(self, index: int) -> None:
        page = self.pages[index]
        if page.wire is not None and not page.wire.closed:
            return
        page.wire = Wire()
        page.connection = Connection(
            outlet=page.wire, form=HtmlForm("en"), rate=Rate(0, 0), max_frame=0, max_channels=0, opened_at=time.monotonic(), id=str(index)
        )
        self._join(page, page.view.opened()["at"], Credential(guest=page.user), 0)

    def _join(self, page: Page, at: Mapping[str, str], credential: Credential | None, number: int) -> None:
        assert page.connection is not None
        positions = {ChannelName.parse(name): Position.parse(text) for name, text in at.items()}
        self.run(self.arrivals.serve(page.connection, Join(number, positions, {}), credential))

    @rule(index=pages)
    def disconnect(self, index: int) -> None:
        """With whatever the page has not read yet. A fetch on its way survives its socket, as in a page."""
        page = self.pages[index]
        if page.connection is not None:
            self.hub.dismiss(page.connection)
        page.wire = page.connection = None

    @rule(index=pages, count=st.integers(1, 5))
    def read(self, index: int, count: int) -> None:
        page = self.pages[index]
        for _ in range(count):
            if page.wire is not None and page.wire.inbox:
                self._do(page, page.view.receive(page.wire.inbox.pop(0)))

    def _do(self, page: Page, effects: list[Effect]) -> None:
        for effect in effects:
            if not isinstance(effect, Ask):
                page.fetching.append(effect.channel)
            elif page.connection is not None and page.wire is not None and not page.wire.closed:
                page.number += 1
                self._join(page, page.view.standing(effect.channels), None, page.number)

    @rule(index=pages)
    def region_arrives(self, index: int) -> None:
        page = self.pages[index]
        if page.fetching:
            self._do(page, page.view.fetched(page.fetching.pop(0), self.table.position(), page.region()))

    @rule(index=pages, full=st.booleans())
    def credit(self, index: int, full: bool) -> None:
        page = self.pages[index]
        if page.wire is not None:
            page.wire.full = full
        self.now(lambda: self.hub.fanout._watch(time.monotonic()))

    # --- and in the end ---

    def settle(self) -> None:
        """The layer loses what is on it, and everything gets its time: then every page shows what the database holds."""
        self.flying.clear()
        for index in range(PAGES):
            self.credit(index, False)
        for _ in range(30):
            self._round()
        assert not any(page.fetching for page in self.pages), "somebody fetches for ever"
        for page in self.pages:
            page.check()

    def _round(self) -> None:
        self.poll()
        self._answer_all()
        self.flush()
        for index, page in enumerate(self.pages):
            if page.wire is None or page.wire.closed:
                self.disconnect(index)
                self.connect(index)
            self.read(index, 100)
            self.region_arrives(index)

    def _answer_all(self) -> None:
        for _ in range(200):
            if not self.questions:
                return
            question, future = self.questions.pop(0)
            if not future.done():
                future.set_result(self.answer(question))
            self.step()
        raise AssertionError("the hub asks the database for ever")

    def _end_tasks(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.step()
        self.tasks.clear()
        self.questions.clear()

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self._end_tasks()
            self.loop.close()
            self._patch.undo()
            del registry.kinds[self.table.kind.name]


def _all_readable(asked: recheck.Asked) -> set[tuple[Reader, ChannelName]]:
    return {(reader, ChannelName(kind.name, key)) for kind, pairs in asked.items() for reader, key in pairs}


class LogDelivery(Delivery):
    kind = PropertyLog


class PersonalDelivery(Delivery):
    kind = PropertyPersonal


class QuietDelivery(Delivery):
    kind = PropertyQuiet


class StateDelivery(Delivery):
    kind = PropertyState


_MANY = int(os.environ.get("PROPERTY", "0"))
_SETTINGS = hypothesis_settings(
    max_examples=_MANY or 100,
    stateful_step_count=40,
    derandomize=not _MANY,
    phases=(Phase.generate, Phase.shrink) if _MANY else (Phase.generate,),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("machine", [LogDelivery, PersonalDelivery, QuietDelivery, StateDelivery])
def test_whatever_happens_every_page_shows_in_the_end_what_the_database_holds(machine: type[Delivery]) -> None:
    run_state_machine_as_test(machine, settings=_SETTINGS)


# --- a test that cannot fail proves nothing ---


def _no_order(patch: pytest.MonkeyPatch) -> None:
    """The hub takes batches as they come."""

    async def on_batch(self: FanOut, channel: str, span: Range, events: Any) -> None:
        topic = self._hub.topics.get(channel)
        if topic is not None and topic.opened and span.epoch == topic.epoch:
            await self.take_effect(topic, topic.take(span, events))

    patch.setattr(FanOut, "on_batch", on_batch)


def _no_duplicate_check(patch: pytest.MonkeyPatch) -> None:
    """The page shows whatever a frame carries."""
    made = View.__init__

    def without(self: View, *given: Any, **more: Any) -> None:
        made(self, *given, **more)
        self.checks = False

    patch.setattr(View, "__init__", without)


def _trims_unseen(patch: pytest.MonkeyPatch) -> None:
    """A read takes whatever rows are there for all that there was."""
    judged = history._judged

    def blind(name: str, life: str, after: int, head: int, tail: int, rows: Any, limit: int) -> history.Stretch:
        stretch = judged(name, life, after, head, tail, rows, limit)
        return history.Stretch(name, life, after, max(head, after), head, tuple(rows[:limit]), True) if not stretch.kept else stretch

    patch.setattr(history, "_judged", blind)
    patch.setattr(Position, "recoverable", lambda self, *, epoch, head, tail: self.epoch == epoch and self.offset <= head)


def _epochs_unseen(patch: pytest.MonkeyPatch) -> None:
    """A new life of the database is taken for the old one: nobody is told to start again."""

    def restart(self: Reading, topic: Topic, stretch: history.Stretch) -> None:
        topic.open(stretch.epoch, stretch.head)

    patch.setattr(Reading, "restart", restart)


def _no_poll(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "_compare", lambda *_: None)


def _credit_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Who was full is not looked after."""
    patch.setattr(FanOut, "_hold", lambda *_: None)


@pytest.mark.parametrize("break_it", [_no_order, _no_duplicate_check, _trims_unseen, _epochs_unseen, _no_poll, _credit_forgotten])
def test_a_broken_delivery_is_found_out(break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    break_it(monkeypatch)
    with pytest.raises((AssertionError, IndexError)):
        run_state_machine_as_test(LogDelivery, settings=hypothesis_settings(_SETTINGS, max_examples=500, phases=(Phase.generate,)))
