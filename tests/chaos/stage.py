"""Where a row is played: a Signalbox of its own with web processes, publishers and clients, and at the end the evidence.

with open_stage(services, Scene(database="postgres", server="uvicorn")) as stage:
    with faults.killed(stage.webs[0]):
        stage.wait(2)
    result = stage.finish()
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos import stored, verdicts
from tests.chaos.clients import Client, Person, Setting
from tests.chaos.monitor import Monitor
from tests.chaos.proxy import Proxy
from tests.chaos.publishers import Plan, read_log
from tests.chaos.records import Evidence, Mark, Outcome, Published, Silence
from tests.chaos.swarm import STRANGER, Swarm, crowd, swarm
from tests.chaos.traffic import CLUB, QUIET
from tests.support.servers import ROOT, Postgres, Process, Site, Valkey, Web, free_port, make_site, wait_until

SETTLE = 5.0  # seconds after the last publish in which everybody must be right
LEAST, CROWD = 1000, 24
TIMES = "fanout.SLOW=6,recheck.RECHECK=5,hub.LINGER=3,hub.REJOIN=20"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a stage is made of. `least`: acknowledged publishes that make a row count; `environment`: of all its processes."""

    database: str = "sqlite"
    server: str = "uvicorn"
    webs: int = 2
    least: int = LEAST
    crowd: int = CROWD
    publishers: int = 3
    rate: float = 30.0
    by_http: bool = True
    hurry: float = 4.0  # how many times sooner clients ping and give up than live.js does
    checks: bool = True  # clients look for duplicates
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Services:
    """What the rows of one run share: servers, and a template of each database with its people."""

    folder: Path
    valkey: Valkey
    postgres: Postgres | None
    templates: dict[str, tuple[str, list[Person]]] = field(default_factory=dict)

    def template(self, database: str) -> tuple[str, list[Person]]:
        """(address or file of a database with tables and people, those people), made on first need."""
        if database not in self.templates:
            folder = self.folder / f"template-{database}"
            folder.mkdir()
            address = self.postgres.new_database() if database == "postgres" and self.postgres else ""
            site = make_site(folder, database=address, redis=self.valkey.url, DJANGO_SETTINGS_MODULE="tests.chaos.settings")
            self.templates[database] = (address or str(folder / "signalbox.sqlite3"), _people(site))
        return self.templates[database]


def _people(site: Site) -> list[Person]:
    command = [sys.executable, "-m", "tests.chaos.people"]
    made = subprocess.run(command, env=site.env(), cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return [Person(one["pk"], one["session"], one["token"]) for one in json.loads(made.stdout)]


class Publisher(Process):
    """A publisher's process, with what it wrote."""

    plan: Plan
    died_at = ""  # the failpoint at which it was killed

    def published(self) -> list[Published]:
        return read_log(Path(self.plan.log), self.plan.name, died_at=self.died_at)


@dataclass(slots=True)
class Stage:
    """One row's Signalbox while it is played."""

    scene: Scene
    services: Services
    folder: Path
    site: Site  # its folder holds the database; `folder` holds what must be writable whatever happens
    address: str  # of the Postgres database; empty: SQLite
    people: list[Person]
    swarm: Swarm
    webs: list[Web] = field(default_factory=list)
    publishers: list[Publisher] = field(default_factory=list)
    noted: list[Published] = field(default_factory=list)  # what the row itself published
    silences: list[Silence] = field(default_factory=list)
    promises: list[str] = field(default_factory=list)  # broken ones, a sentence each
    notes: list[str] = field(default_factory=list)
    forgotten: tuple[float, float] | None = None
    proxy: Proxy | None = None  # for rows that put one in between
    place: Path | None = None  # for rows that keep something somewhere of their own
    monitor: Monitor = field(default_factory=lambda: Monitor([]))

    @property
    def file(self) -> Path:
        return self.site.folder / "signalbox.sqlite3"

    @property
    def is_sqlite(self) -> bool:
        return not self.address

    # --- the database, past the product ---

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return stored.rows(self.address, self.file, statement)

    def execute(self, statement: str) -> None:
        """Postgres only."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def epoch(self) -> str:
        return str(self.rows("SELECT value FROM signalbox_epoch")[0][0])

    # --- time ---

    def wait(self, seconds: float) -> None:
        """Let it run on. The clients' own mistakes come out here."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.swarm.check()
            time.sleep(min(0.1, max(0.0, end - time.monotonic())))

    def until(self, what: Callable[[], Any], described: str, *, seconds: float) -> float:
        """Wait for something; returns in how many seconds it came. When it does not come, that is a broken promise."""
        start = time.monotonic()
        while not what():
            if time.monotonic() - start > seconds:
                self.promises.append(f"not within {seconds:g} s: {described}")
                break
            self.wait(0.05)
        return time.monotonic() - start

    def expect(self, holds: bool, described: str) -> None:
        """Something that must hold besides the verdicts."""
        if not holds:
            self.promises.append(described)

    def note(self, text: str) -> None:
        self.notes.append(text)

    # --- processes ---

    def web(self, **more: str) -> Web:
        """A further web process, not started."""
        port = free_port()
        env = self.site.env(PORT=str(port), BASE_URL=f"http://127.0.0.1:{port}", SERVER=self.scene.server, **more)
        return Web([sys.executable, "manage.py", "serve"], self.folder / f"web-{port}.log", env, port=port)

    def start_webs(self, webs: list[Web]) -> None:
        """Start several at once."""
        for web in webs:
            Process.start(web)
        self.webs += webs
        for web in webs:
            wait_until(web.healthy, described=f"{web.url}/healthz", log=web.log)

    def addresses(self) -> list[str]:
        """Where a load balancer would send people now."""
        return [web.url for web in self.webs if web.running] or [web.url for web in self.webs]

    def publisher(self, name: str, **plan: Any) -> Publisher:
        """Start one more publisher."""
        environment = plan.pop("environment", {})
        given = {"seed": len(self.publishers), "rate": self.scene.rate, **plan}
        wanted = Plan(name=name, log=str(self.folder / f"{name}.jsonl"), **given)
        command = [sys.executable, "-m", "tests.chaos.publishers", json.dumps(asdict(wanted))]
        one = Publisher(command, self.folder / f"{name}.log", self.site.env(**environment))
        one.plan = wanted
        one.start()
        self.publishers.append(one)
        return one

    def start_publishers(self, webs: list[Web]) -> None:
        share = len(QUIET) // self.scene.publishers
        for number in range(self.scene.publishers):
            self.publisher(f"p{number}", quiet=list(QUIET[number * share : (number + 1) * share]))
        if self.scene.by_http:
            self.publisher("http", http=[web.url for web in webs], token=self.people[-2].token, rate=6.0)

    def shell(self, code: str, *, meanwhile: Callable[[], object] = lambda: None) -> str:
        """Run code in a process of its own; returns what it printed. `meanwhile` is done all the time until it ends."""
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
        with subprocess.Popen(command, env=self.site.env(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            while child.poll() is None:
                meanwhile()
                self.wait(0.1)
            assert child.returncode == 0 and child.stdout is not None
            return child.stdout.read()

    def process(self, web: Web) -> dict[str, Any]:
        """What a web process says about itself."""
        said: dict[str, Any] = httpx.get(f"{web.url}/chaos/process", timeout=10).json()
        return said

    def total(self, what: str) -> int:
        """A figure of all web processes that are there."""
        return sum(int(self.process(web)[what]) for web in self.webs if web.running)

    # --- traffic ---

    def published(self) -> list[Published]:
        return [event for one in self.publishers for event in one.published()] + self.noted

    def acknowledged(self) -> int:
        return sum(event.outcome is Outcome.ACKNOWLEDGED for event in self.published())

    def until_traffic(self, events: int, *, seconds: float = 30.0) -> None:
        """Wait until so many publishes were acknowledged in all."""
        end = time.monotonic() + seconds
        while self.acknowledged() < events and time.monotonic() < end:
            self.wait(0.3)

    def is_shown(self, marks: set[Mark], channel: str) -> bool:
        """Whether every client that is to be complete on this log shows these."""
        return all(marks <= set(track.final()) for track in self.swarm.logs() if track.channel == channel and track.finishes)

    # --- the end ---

    def stop_publishers(self) -> None:
        for one in self.publishers:
            if one.running:
                one.send(15)
        for one in self.publishers:
            if one.running:
                one.stop(patience=15)

    def finish(self) -> Evidence:
        """Stop the traffic, let everybody become right for SETTLE seconds, and collect the evidence."""
        self.stop_publishers()
        self.until(lambda: all(one.is_live or not one.tracks for one in self.swarm.clients), "every client live again", seconds=15)
        end = time.monotonic() + SETTLE
        while time.monotonic() < end and not self._settled():
            self.wait(0.3)
        self.wait(0.7)  # a second arrival, if there is one
        return self.evidence(badges=True)

    def _settled(self) -> bool:
        found = self.evidence()
        return not (verdicts.lost(found) or verdicts.stale(found))

    def evidence(self, *, badges: bool = False) -> Evidence:
        truth = stored.read(self.address, self.file)
        counts: dict[tuple[str, str], str] = {}
        if badges:
            truth, counts = self._badges(truth)
        return Evidence(self.published(), self.swarm.logs(), self.swarm.states(), truth, self.silences, counts, forgotten=self.forgotten)

    def _badges(self, truth: Any) -> tuple[Any, dict[tuple[str, str], str]]:
        """The badge on every page that has one, beside what it should say."""
        shown = {(client.name, client.person.pk): client.badge for client in self.swarm.clients if client.badge is not None}
        right: dict[str, str] = {}
        with suppress(httpx.HTTPError):
            for _, user in shown:
                if user not in right:
                    right[user] = httpx.get(f"{self.addresses()[0]}/chaos/counts/{user}", timeout=5).json()["html"]
        return stored.with_counts(truth, right), {who: badge for who, badge in shown.items() if badge is not None}

    def latencies(self, published: list[Published], among: list[Client] | None = None) -> list[float]:
        """From acknowledgement to screen, of every event of a log at every client that was connected all that time."""
        ended = {one.mark: one.ended for one in published if one.outcome is Outcome.ACKNOWLEDGED and not one.is_state}
        found = []
        for client in among or self.swarm.clients:
            if client.transport == "poll":
                continue
            for track in [track for track in client.logs() if not track.channel.startswith("user:")]:
                first = {mark: at for mark, at in reversed(list(track.showings())) if mark in ended}
                found += [at - ended[mark] for mark, at in first.items() if client.was_live(ended[mark], at)]
        return found


@contextmanager
def open_stage(services: Services, scene: Scene, *, data: Path | None = None) -> Iterator[Stage]:
    """A stage with traffic and clients on it; everything ends with the block, by kill -9. `data`: where its database lies."""
    folder = services.folder / f"row-{time.monotonic_ns()}"
    folder.mkdir()
    data = data or folder
    template, people = services.template(scene.database)
    address = _copied(services, template, data)
    site = Site(data, _environment(services, scene, address))
    with ExitStack() as stack:
        setting = Setting(addresses=lambda: stage.addresses(), hurry=scene.hurry, checks=scene.checks)
        stage = Stage(scene, services, folder, site, address, people, stack.enter_context(swarm(setting)))
        stack.callback(_kill_all, stage)
        webs = [stage.web() for _ in range(scene.webs)]
        stage.start_publishers(webs)  # sooner than anybody can look: pages begin with something on them
        stage.start_webs(webs)
        stage.silences.append(Silence(STRANGER, CLUB, 0.0))
        stage.swarm.start(crowd(setting, people[:-1], people[-1], size=scene.crowd))
        wait_until(lambda: stage.swarm.all_live, described="every client live", patience=90, log=stage.webs[0].log)
        stage.monitor = Monitor(stage.webs)
        stack.enter_context(stage.monitor.running())
        yield stage
    shutil.rmtree(folder, ignore_errors=True)
    if address and services.postgres is not None:
        services.postgres.run(f"DROP DATABASE {address.rsplit('/', 1)[1]} WITH (FORCE)")


def _copied(services: Services, template: str, data: Path) -> str:
    """Copy the template's database; returns the address of the copy, empty for SQLite."""
    if not template.startswith("postgres"):
        shutil.copy(template, data / "signalbox.sqlite3")
        return ""
    assert services.postgres is not None
    address = services.postgres.new_database(like=template.rsplit("/", 1)[1])
    # A sequence copied with its database is not logged anew before the next checkpoint: a crash would set it back.
    services.postgres.run("CHECKPOINT")
    return address


def _environment(services: Services, scene: Scene, address: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "REDIS_URL": services.valkey.url,
        "CHAOS_TIMES": TIMES,
        "CHAOS_PING": "4",
        **({"DATABASE_URL": address} if address else {}),
        **scene.environment,
    }


def _kill_all(stage: Stage) -> None:
    for process in [*stage.publishers, *stage.webs]:
        process.kill()
