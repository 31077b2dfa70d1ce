"""All clients of a run, in a thread with a loop of its own, so that rows can be written as plain code with faults as `with` blocks."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.chaos.clients import Client, Person, PollClient, Setting, SseClient, WsClient
from tests.chaos.records import LogTrack, StateTrack
from tests.chaos.traffic import CLUB, LOGS, QUIET, STATES

T = TypeVar("T")
GUEST = Person()
STRANGER = "ws-stranger"


class Swarm:
    """The clients, and the thread in which they live."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.clients: list[Client] = []
        self.loop = asyncio.new_event_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self.loop.run_forever, name="clients", daemon=True)

    def call(self, work: Coroutine[Any, Any, T], *, seconds: float = 30) -> T:
        """Run something in the clients' loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def soon(self, act: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(act)

    def start(self, clients: list[Client]) -> None:
        """Let more clients live."""
        self.call(self._start(clients))

    async def _start(self, clients: list[Client]) -> None:
        for client in clients:
            self.clients.append(client)
            self._tasks[client.name] = asyncio.create_task(client.run())

    def end(self, *clients: Client) -> None:
        """End these clients, or all."""
        self.call(self._end(clients or tuple(self.clients)))

    async def _end(self, clients: tuple[Client, ...]) -> None:
        tasks = [self._tasks.pop(client.name) for client in clients if client.name in self._tasks]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        for client in clients:
            await client.http.aclose()

    def check(self) -> None:
        """Raise what a client broke with: a mistake of the checker, never of the product."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # --- what they saw ---

    def logs(self) -> list[LogTrack]:
        return [track for client in self.clients for track in client.tracks.values() if isinstance(track, LogTrack)]

    def states(self) -> list[StateTrack]:
        return [track for client in self.clients for track in client.tracks.values() if isinstance(track, StateTrack)]

    @property
    def all_live(self) -> bool:
        return all(client.is_live for client in self.clients)

    @property
    def repairs(self) -> int:
        return sum(client.repairs for client in self.clients)

    def codes(self) -> Counter[int]:
        """How often sockets were closed with each code."""
        return Counter(code for client in self.clients for code in client.codes)


@contextmanager
def swarm(setting: Setting) -> Iterator[Swarm]:
    one = Swarm(setting)
    one._thread.start()
    try:
        yield one
    finally:
        one.end()
        one.loop.call_soon_threadsafe(one.loop.stop)
        one._thread.join(5)


# Of every seven clients; the order mixes them, so that few clients are of all three kinds too.
_FORMS = ("ws", "poll", "json", "ws", "html", "ws", "ws")


def crowd(setting: Setting, people: list[Person], stranger: Person, *, size: int) -> list[Client]:
    """`size` clients (at least six) of all three transports: guests, members of the club, and a stranger who asks for the club."""
    clients: list[Client] = [WsClient(STRANGER, [*LOGS, *STATES, CLUB], stranger, setting)]
    members = iter(people)
    for number in range(1, size):
        form = _FORMS[number % len(_FORMS)]
        # Whoever polls needs a token; of the others every second one is signed in, as long as there are people.
        person = next(members, GUEST) if form == "poll" or number % 2 else GUEST
        clients.append(_client(form, number, GUEST if form == "poll" and not person.token else person, setting))
    return clients


def _client(form: str, number: int, person: Person, setting: Setting) -> Client:
    private = [CLUB] if person.pk else []
    name = f"{form}-{number}"
    if form == "poll" and person.token:
        return PollClient(name, [LOGS[number % len(LOGS)], STATES[number % 2], *private], person, setting)
    if form in {"json", "html"}:
        return SseClient(name, [*LOGS, *STATES, *private, *QUIET[number % 3 :: 3]], person, setting, form=form)
    own = [f"user:{person.pk}"] if person.pk else []
    return WsClient(f"ws-{number}", [*LOGS, *STATES, *private, *own, *QUIET], person, setting)
