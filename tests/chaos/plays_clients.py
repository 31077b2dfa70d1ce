"""Rows about clients: slow, half-open, all at once, and without their rights."""

import json
import os
import time
from collections.abc import Iterable
from typing import Any

from core.delivery.position import Position
from tests.chaos.clients import Client, PollClient, WsClient
from tests.chaos.proxy import proxy
from tests.chaos.records import LogTrack, Replaced, Silence
from tests.chaos.slow import MANNERS, Slow
from tests.chaos.stage import Stage
from tests.chaos.swarm import GUEST
from tests.chaos.traffic import CLUB
from tests.chaos.view import Channel

FULL = os.environ.get("FULL") == "1"
CREDIT = 256 * 1024
NOISE = 0.2  # seconds: a p99 below it says more about what else the machine does than about us
FAT, STORM = "chaoslog:fat", "chaoslog:storm"


# --- slow ---


def slow_clients(stage: Stage) -> None:
    """They are let go by the server's own count: what a kernel still holds for them is not in our process."""
    reader = WsClient("reads-all", [FAT], GUEST, stage.swarm.setting)
    stage.swarm.start([reader])
    fat = stage.publisher("fat", only=FAT, fat=15_000, rate=60)
    stage.wait(4.0)
    joined, before = time.monotonic(), stage.total("connections")
    slow = [Slow(web.url, FAT, manner) for web in stage.webs for manner in MANNERS]
    for one in slow:
        one.start()
    stage.until(lambda: stage.total("connections") >= before + len(slow), "slow clients are let in", seconds=10)
    stage.until(lambda: stage.total("connections") <= before, "every slow client is let go", seconds=45 if FULL else 25)
    stage.note(f"gone in {time.monotonic() - joined:.0f} s")
    fat.stop()
    for one in slow:
        one.end()
    others = [one for one in stage.published() if one.channel != FAT]
    early, late = (_p99(stage.latencies([one for one in others if (one.began < joined) is first])) for first in (True, False))
    # Credit is tested before a frame, and a frame is at most 64 KiB and one fragment.
    stage.expect(stage.monitor.most_held <= CREDIT + 64 * 1024 + 16 * 1024, f"{stage.monitor.most_held} bytes held for one client")
    others_p99 = f"others' p99 {early * 1000:.0f} -> {late * 1000:.0f} ms"
    stage.expect(late <= 2 * max(early, NOISE), others_p99)
    stage.note(f"at most {stage.monitor.most_held // 1024} KiB held; {others_p99}")
    stage.until_traffic(stage.scene.least)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0


# --- half-open ---


def half_open_clients(stage: Stage) -> None:
    """Some clients sit behind a proxy that becomes a black hole: neither side is told."""
    web = stage.webs[0]
    with proxy(to=web.port) as hole:
        url = f"http://127.0.0.1:{hole.port}"
        asleep: list[Client] = [
            WsClient(f"asleep-{number}", ["chaoslog:a", "chaosstate:a"], GUEST, stage.swarm.setting) for number in range(6)
        ]
        for client in asleep:
            client.frozen_url = url
        stage.swarm.start(asleep)
        stage.until(lambda: all(one.is_live for one in asleep), "clients live behind the proxy", seconds=10)
        stage.wait(1.0)
        before = stage.total("connections")
        for client in asleep:
            client.frozen_url = ""
        hole.swallows = True
        start = time.monotonic()
        hurry = stage.scene.hurry
        stage.until(
            lambda: all(one.spells[-1].since > start for one in asleep), "clients know that they are cut off", seconds=35 / hurry + 3
        )
        knew = time.monotonic() - start
        stage.until(lambda: stage.total("connections") <= before, "the server lets them go", seconds=45 / hurry + 5)
        stage.note(f"clients knew in {knew:.1f} s, the server in {time.monotonic() - start:.1f} s (hurried {hurry:g} times)")
    stage.until_traffic(stage.scene.least)


# --- everybody at once ---


class Returner(WsClient):
    """A client that begins where another one stood, without a page of its own."""

    def begin_at(self, position: Position, shown: tuple[Any, ...]) -> None:
        self._begin = (position, shown)

    async def open_page(self) -> None:
        position, shown = self._begin
        for name, track in self.tracks.items():
            assert isinstance(track, LogTrack)
            track.entries.append(Replaced(shown, time.monotonic()))
            self.view.channels[name] = Channel(name, position)


def everybody_dropped(stage: Stage) -> None:
    """Hundreds more (FULL: 5 000) on one channel; all are dropped, miss something, and come back with their positions."""
    many = 5000 if FULL else 300
    first = WsClient("storm", [STORM], GUEST, stage.swarm.setting)
    stage.swarm.start([first])
    stage.until(lambda: first.is_live, "the first is live", seconds=10)
    returners = [Returner(f"storm-{number}", [STORM], GUEST, stage.swarm.setting) for number in range(many)]
    for one in returners:
        one.begin_at(first.view.channels[STORM].position, ())
    stage.swarm.start(list(returners))
    stage.until(lambda: stage.swarm.all_live, "all are live", seconds=60)
    stage.publisher("storm", only=STORM, rate=5)
    stage.wait(2.0)
    queries = stage.total("queries")
    start = time.monotonic()
    for client in stage.swarm.clients:
        stage.swarm.soon(client.drop)
    back = [one for one in stage.swarm.clients if not isinstance(one, PollClient)]
    stage.until(lambda: all(one.spells[-1].since > start for one in back if one.spells), "all are back", seconds=10)
    stage.note(
        f"{len(back)} back in {time.monotonic() - start:.1f} s, {(stage.total('queries') - queries) / len(back):.2f} queries for each"
    )
    stage.until_traffic(stage.scene.least)


# --- rights ---

_TAKE = """
import json, time
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
users, club = get_user_model().objects, Group.objects.get(name="club-a")
def raw(pk):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_user_groups WHERE user_id = %s", [pk])
def disable(pk):
    user = users.get(pk=pk); user.is_active = False; user.save()
def password(pk):
    user = users.get(pk=pk); user.set_password("another"); user.save()
ways = {{
    "group": lambda pk, session: users.get(pk=pk).groups.remove(club),
    "logout": lambda pk, session: SessionStore(session).flush(),
    "disabled": lambda pk, session: disable(pk),
    "password": lambda pk, session: password(pk),
    "raw": lambda pk, session: raw(pk),
}}
taken = []
for client, way, pk, session in json.loads('''{wanted}'''):
    ways[way](pk, session)
    taken.append([client, time.monotonic()])
    time.sleep(0.2)
time.sleep(1.0)  # as the web process or worker would live on that people do this by
print(json.dumps(taken))
"""
ALLOWED = {"group": 1.0, "logout": 1.0, "disabled": 1.0, "password": 1.0, "raw": 60.0 if FULL else 7.0}
WITHOUT_REDIS = 2.5


def rights_taken(stage: Stage) -> None:
    """Members lose the club in every way; one of them while she comes back all the time, and one while Redis is dead."""
    stage.publisher("club", only=CLUB, rate=15)
    stage.wait(2.0)
    members = [one for one in stage.swarm.clients if CLUB in one.tracks and one.tracks[CLUB].finishes]
    streams = [one for one in members if one.transport != "poll"]
    polls = [one for one in members if one.transport == "poll"]
    returning, without_redis, *others = streams
    ways = [
        *zip(others, ("group", "logout", "disabled", "password", "raw"), strict=False),
        *zip(polls, ("group", "disabled"), strict=False),
    ]
    _take(stage, ways, "in mid-stream")
    stage.wait(1.0)
    _take(stage, [(returning, "group")], "in mid-replay", dropping=returning)
    stage.wait(1.0)
    stage.services.valkey.kill()
    try:
        _take(stage, [(without_redis, "group")], "without Redis", allowed=WITHOUT_REDIS)
        stage.wait(3.0)
    finally:
        stage.services.valkey.start()
    stage.wait(4.0)
    stage.until_traffic(stage.scene.least)


def _take(
    stage: Stage, wanted: Iterable[tuple[Client, str]], case: str, *, allowed: float | None = None, dropping: Client | None = None
) -> None:
    """Take these clients' rights, and note from when on they must be silent."""
    pairs = list(wanted)
    for client, _ in pairs:
        for track in client.tracks.values():
            track.finishes = track.finishes and not track.channel.startswith(("chaosclub:", "user:"))
    asked = json.dumps([(client.name, way, client.person.pk, client.person.session) for client, way in pairs])
    answer = stage.shell(_TAKE.format(wanted=asked), meanwhile=lambda: dropping and stage.swarm.soon(dropping.drop))
    ways = {client.name: way for client, way in pairs}
    for name, at in json.loads(answer.splitlines()[-1]):
        stage.silences.append(Silence(name, CLUB, at + (allowed or ALLOWED[ways[name]]), f"{ways[name]}, {case}"))
