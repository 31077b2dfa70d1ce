"""A real worker and a real beat on a real Valkey: they move the board with no web process, and take nothing but JSON."""

import pickle
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange

from tests.support.servers import Process, Site, Valkey, make_site, start_valkey, wait_until

pytestmark = [pytest.mark.valkey, pytest.mark.slow]


@pytest.fixture
def broker() -> Iterator[Valkey]:
    """A broker of this test's own: what others left in theirs is no task here."""
    with start_valkey() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, broker: Valkey) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    made = make_site(folder, redis=broker.url)
    made.manage("demo")
    return made


def rows(site: Site, statement: str) -> list[Any]:
    with closing(sqlite3.connect(site.folder / "signalbox.sqlite3", timeout=10)) as database:
        return database.execute(statement).fetchall()


def numbered(site: Site) -> int:
    found = rows(site, "SELECT count(*) FROM signalbox_event WHERE channel LIKE 'dashboard:%' AND \"offset\" IS NOT NULL")
    return int(found[0][0])


def test_beat_and_worker_move_the_board_and_say_that_they_live_and_nobody_warns_of_a_start(site: Site) -> None:
    beat = Process(
        [sys.executable, "-m", "celery", "-A", "workers.celery", "beat", "--loglevel", "WARNING"], site.folder / "beat.log", site.env()
    )
    before = numbered(site)
    with site.web() as web, site.worker() as worker, site._running(beat):
        wait_until(lambda: numbered(site) > before, described="a sample to be numbered", log=worker.log)
        wait_until(
            lambda: len(rows(site, "SELECT id FROM signalbox_process WHERE id IN ('celery worker', 'celery beat')")) == 2,
            described="both",
            log=worker.log,
        )
        wait_until(lambda: "This beat works from now on." in beat.output(), described="beat to say that it works", log=beat.log)
        log = web.output() + worker.output() + beat.output()
    assert [line for line in log.splitlines() if re.search(r"Traceback| (WARNING|ERROR|CRITICAL) ", line)] == []


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def send(url: str, *, body: Any, content_type: str, task: str) -> None:
    with Connection(url) as connection:
        headers = {"task": task, "id": "1", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
        producer = connection.Producer(exchange=Exchange("delivery"), routing_key="delivery")
        producer.publish(body, content_type=content_type, content_encoding="binary", headers=headers)


def test_a_worker_refuses_pickles_and_unknown_tasks_and_works_on(site: Site, broker: Valkey, tmp_path: Path) -> None:
    before, exploded = numbered(site), tmp_path / "exploded"
    with site.worker() as worker:
        send(
            broker.url,
            body=pickle.dumps([[Bomb(exploded)], {}, {}]),
            content_type="application/x-python-serialize",
            task="workers.tasks.trim_events",
        )
        send(broker.url, body=b'[["x"], {}, {}]', content_type="application/json", task="os.system")
        site.manage("shell", "-c", "from core import jobs; jobs.wake('sample_machine'); jobs.wait_until_idle(5)")
        wait_until(lambda: numbered(site) > before, described="the worker to work on", log=worker.log)
    assert not exploded.exists()
