"""Rows about our own processes: killed, stopped, restarted, their clocks moved, left running for long."""

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.chaos import faults
from tests.chaos.clients import WsClient
from tests.chaos.records import Mark, Outcome, Published
from tests.chaos.stage import Stage
from tests.support.servers import Process, Web, wait_until

FULL = os.environ.get("FULL") == "1"


def web_killed(stage: Stage) -> None:
    for turn in range(10 if FULL else 3):
        with faults.killed(stage.webs[turn % 2]):
            stage.wait(0.5)
        took = stage.until(lambda: stage.swarm.all_live, "clients live again after a web process was killed", seconds=5)
        stage.wait(max(0.0, 5 - took) if FULL else 1.0)
    stage.until_traffic(stage.scene.least)


# --- failpoints ---


def killed_at_failpoints(stage: Stage) -> None:
    for number, name in enumerate(("before_commit", "after_commit", "in_sequencer", "sequenced")):
        stage.publisher(f"doomed{number}", failpoint=f"{name}:kill@{20 + number}", rate=15).died_at = name
    for name, passing in (("mid_fanout", 400), ("sequenced", 8)):
        _die_in_web(stage, f"{name}:kill@{passing}")
    for client in [one for one in stage.swarm.clients if isinstance(one, WsClient)][:5]:
        client.drops_next = True
    doomed = [one for one in stage.publishers if one.died_at]
    stage.until(lambda: not any(one.running for one in doomed), "every doomed publisher has met its failpoint", seconds=20)
    stage.until_traffic(stage.scene.least)


def _die_in_web(stage: Stage, failpoint: str) -> None:
    """Put a web process that dies at a failpoint in the place of the first one, and a sound one in its place."""
    first = stage.webs[0]
    healthy = first.environment
    first.kill()
    first.environment = {**(healthy or {}), "CHAOS_FAILPOINT": failpoint}
    first.start()
    for client in stage.swarm.clients:
        stage.swarm.soon(client.drop)  # so that some of them come here
    stage.until(lambda: not first.running, f"the web process dies at {failpoint}", seconds=20)
    first.environment = healthy
    first.start()


# --- Celery ---

_DUE = """
import sys
from datetime import timedelta
from django.utils import timezone
from core.jobs import wake
from notifications.actions import notify
for number in range({count}):
    notify("group:club-a", title=f"chaos-due-{{number}}-x", deliver_at=timezone.now() + timedelta(seconds=1.5))
wake("notifications_due")
"""


def worker_killed(stage: Stage) -> None:
    """Notifications that are due, delivered by workers that are killed or stopped in the middle of it. A badge follows on every page."""
    due = 24
    with _workers(stage) as workers:
        began = time.monotonic()
        stage.site.manage("shell", "-v0", "-c", _DUE.format(count=due))
        members = stage.people[:-1]
        for number in range(due):
            mark = Mark("due", number)
            stage.noted += [Published(mark, f"user:{one.pk}", Outcome.ACKNOWLEDGED, began, time.monotonic()) for one in members]
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
            for worker in workers:
                stage.wait(1.0)
                worker.stop(by=number, patience=10)
                worker.start()
        marks = {Mark("due", number) for number in range(due)}
        stage.until(lambda: all(stage.is_shown(marks, f"user:{one.pk}") for one in members), "every due notification is shown", seconds=40)
    double = stage.rows("SELECT user_id, notification_id FROM signalbox_notifications_inboxitem GROUP BY 1, 2 HAVING count(*) > 1")
    stage.expect(not double, f"{len(double)} inbox items stand twice")
    stage.until_traffic(stage.scene.least)


@contextmanager
def _workers(stage: Stage) -> Iterator[list[Process]]:
    """Two workers, so that tasks run twice at once, and a beat that sweeps what they left."""
    celery = [sys.executable, "-m", "celery", "-A", "workers.celery"]
    quick = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    environment = stage.site.env(CHAOS_TASK="0.1")
    workers = [
        Process(
            [*celery, "worker", "-Q", "live,delivery,bulk", "-n", f"w{number}", *quick], stage.folder / f"worker{number}.log", environment
        )
        for number in range(2)
    ]
    beat = Process([*celery, "beat", "--loglevel", "WARNING"], stage.folder / "beat.log", environment)
    try:
        for process in [*workers, beat]:
            process.start()
        yield workers
    finally:
        for process in [*workers, beat]:
            process.kill()


# --- stopped and continued ---


def processes_stopped(stage: Stage) -> None:
    seconds = 45.0 if FULL else 6.0
    with faults.stopped(stage.webs[0]):  # and the relay in it
        before = stage.acknowledged()
        stage.wait(seconds)
        stage.expect(stage.acknowledged() > before or stage.is_sqlite, "publishers went on while a web process was stopped")
    stage.until(lambda: stage.swarm.all_live, "clients live again after a web process was stopped", seconds=10)
    with faults.stopped(stage.publishers[0]):
        stage.wait(seconds / 2)
    stage.until_traffic(stage.scene.least)


def clock_moved(stage: Stage) -> None:
    codes = stage.swarm.codes()
    assert stage.place is not None
    for hours in (1, -1):
        with faults.clock_moved(stage.place, hours):
            stage.wait(3.0)
    stage.wait(2.0)
    stage.expect(stage.swarm.codes() == codes, f"nobody is disconnected by a clock: {stage.swarm.codes() - codes}")
    stage.until_traffic(stage.scene.least)


# --- restarts ---


def rolling_restarts(stage: Stage) -> None:
    restarts = 20 if FULL else 7
    for turn in range(restarts):
        _restart(stage, stage.webs[turn % 2])
        stage.until(lambda: stage.swarm.all_live, "clients live again after a restart", seconds=10)
    strange = {code: times for code, times in stage.swarm.codes().items() if code not in {1012, 503}}  # 503: a stream came too late
    stage.expect(not strange, f"sockets are closed with 1012 and not {strange}")
    stage.until_traffic(stage.scene.least)


def _restart(stage: Stage, web: Web) -> None:
    """SIGTERM, and the next one when it has gone."""
    web.send(signal.SIGTERM)
    wait_until(lambda: not web.running, described="the web process to drain", patience=30, log=web.log)
    web.start()


# --- soak ---


def soak(stage: Stage) -> None:
    """SOAK minutes of churn: 1 % of the clients a minute, and a crash every ten minutes."""
    minutes = float(os.environ.get("SOAK", "15"))
    end = time.monotonic() + minutes * 60
    chance = random.Random(19)
    for turn in count(1):
        stage.wait(6)
        if time.monotonic() > end:
            break
        if chance.random() < 0.1 * len(stage.swarm.clients) / 100:
            stage.swarm.soon(chance.choice(stage.swarm.clients).drop)
        if turn % 100 == 50:
            with faults.killed(stage.webs[0]):
                stage.wait(0.5)
    slope = stage.monitor.slope()
    stage.note(f"memory {slope / 1024 / 1024:+.2f} MB a minute")
    stage.expect(slope < 1024 * 1024 / 2, "memory grows by less than half a megabyte a minute")
