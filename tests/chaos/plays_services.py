"""Rows about what we stand on: Redis, the database, its disk, and a channel layer that lies."""

import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos import faults
from tests.chaos.records import Mark, Outcome, Published
from tests.chaos.stage import Stage
from tests.support import machine

FULL = os.environ.get("FULL") == "1"


def redis_troubled(stage: Stage) -> None:
    valkey, codes = stage.services.valkey, stage.swarm.codes()
    valkey.kill()
    stage.wait(5.0 if FULL else 2.5)
    valkey.start()
    stage.wait(1.0)
    faults.flush(valkey)
    stage.wait(1.0)
    faults.cut_subscribers(valkey)
    stage.wait(1.0)
    with faults.asleep(valkey):
        stage.wait(30.0 if FULL else 4.0)
    stage.wait(1.0)
    with faults.out_of_memory(valkey):
        stage.wait(1.5)
    stage.until_traffic(stage.scene.least)
    stage.expect(stage.swarm.codes() == codes, f"nobody is disconnected by Redis: {stage.swarm.codes() - codes}")


def redis_half_open(stage: Stage) -> None:
    codes = stage.swarm.codes()
    assert stage.proxy is not None
    stage.wait(1.0)
    stage.proxy.swallows = True
    stage.wait(60.0 if FULL else 8.0)
    stage.proxy.swallows = False
    stage.proxy.reset()
    stage.until_traffic(stage.scene.least)
    stage.expect(stage.swarm.codes() == codes, f"nobody is disconnected by Redis: {stage.swarm.codes() - codes}")


def lossy_layer(stage: Stage) -> None:
    stage.until_traffic(stage.scene.least)


# --- the database ---


def postgres_troubled(stage: Stage) -> None:
    postgres, codes = stage.services.postgres, stage.swarm.codes()
    assert postgres is not None
    stage.wait(2.0)
    faults.restart_at_once(postgres)
    _live_again(stage, "Postgres was restarted")
    stage.wait(1.5)
    faults.terminate_backends(postgres)
    _live_again(stage, "all backends were terminated")
    stage.wait(1.5)
    with faults.exhausted(postgres):
        stage.wait(2.0)
    _live_again(stage, "connections were exhausted")
    stage.until_traffic(stage.scene.least, seconds=40)
    stage.expect(stage.swarm.codes() == codes, f"sockets stay while the database is away: {stage.swarm.codes() - codes}")


def _live_again(stage: Stage, after: str) -> None:
    """Something acknowledged from now on is on a screen."""
    start = time.monotonic()

    def fresh() -> bool:
        marks = {one.mark for one in stage.published() if one.began > start and one.outcome is Outcome.ACKNOWLEDGED and not one.is_state}
        return any(mark in marks for track in stage.swarm.logs() for mark in track.final()[-50:])

    stage.note(f"{stage.until(fresh, f'live again after {after}', seconds=8):.1f} s after {after}")


def transaction_held(stage: Stage) -> None:
    seconds = 60.0 if FULL else 6.0
    data = '{"p":"held","n":1}'
    insert = "INSERT INTO signalbox_event (channel, type, slot, key, minor, data) VALUES (%s, %s, %s, %s, 0, %s)"
    began, waiting = time.monotonic(), len(stage.swarm.logs()[0].entries)
    with faults.long_transaction(stage.address, stage.file, [(insert, ("chaoslog:a", "line", "", "", data))]):
        stage.wait(3.0 if stage.is_sqlite else seconds)
        moved = len(stage.swarm.logs()[0].entries) - waiting
        stage.expect(stage.is_sqlite or moved > 20, f"others go on while a transaction is open ({moved} shown)")
    stage.noted.append(Published(Mark("held", 1), "chaoslog:a", Outcome.ACKNOWLEDGED, began, time.monotonic()))
    stage.until_traffic(stage.scene.least)
    stage.expect(not _failed(stage) or stage.is_sqlite, "nobody fails for another's transaction")


# --- the disk ---


def move_events(stage: Stage, place: Path) -> str:
    """Postgres: the events' table onto the small disk. Returns the tablespace, to be dropped after the database."""
    postgres = stage.services.postgres
    assert postgres is not None
    space = f"small{time.monotonic_ns()}"
    (place / space).mkdir()
    shutil.chown(place / space, "postgres")
    postgres.run(f"CREATE TABLESPACE {space} LOCATION '{place / space}'")
    stage.execute(f"ALTER TABLE signalbox_event SET TABLESPACE {space}")
    return space


def disk_full(stage: Stage) -> None:
    stage.wait(2.0)
    before = _failed(stage)
    with faults.full(stage.place) if stage.place else faults.marked(Path(stage.site.environment["CHAOS_FULL"])):
        stage.until(lambda: _failed(stage) > before, "publishes fail on a full disk", seconds=15)
        stage.wait(2.0)
    start, acknowledged = time.monotonic(), stage.acknowledged()
    stage.until(lambda: stage.acknowledged() > acknowledged + 20, "publishes go on when the disk is free again", seconds=10)
    stage.note(f"{_failed(stage) - before} publishes refused, on again in {time.monotonic() - start:.1f} s")
    stage.until_traffic(stage.scene.least)
    if stage.is_sqlite:
        stage.expect(stage.rows("PRAGMA integrity_check") == [("ok",)], "the database is whole")


def _failed(stage: Stage) -> int:
    """How many transactions failed, as their callers saw it."""
    return len({one.together for one in stage.published() if one.error})


# --- the restore ---


def database_restored(stage: Stage) -> None:
    """SQLite: restored while everything is down, and announced. Postgres: under running processes, and nobody says a word."""
    stage.until_traffic(stage.scene.least // 2)
    copied = time.monotonic()
    copy = _copy(stage)
    stage.until_traffic(stage.acknowledged() + 200)
    stage.stop_publishers()
    stage.wait(1.0)
    life = stage.epoch()
    if stage.is_sqlite:
        _restore_file(stage, copy)
    else:
        _restore_dump(stage, copy)
        stage.until(lambda: stage.epoch() != life, "a hub notices that history went back", seconds=10)
    stage.forgotten = (copied, time.monotonic())
    stage.until(lambda: stage.swarm.all_live, "clients live again after a restore", seconds=10)
    for number in range(stage.scene.publishers):
        stage.publisher(f"after{number}")
    stage.until_traffic(stage.acknowledged() + stage.scene.least // 2)
    stage.expect(stage.epoch() != life, "a restore begins a new epoch")
    stage.expect(stage.swarm.repairs > 0, "everybody starts again")


def _copy(stage: Stage) -> Path:
    copy = stage.folder / "copy"
    if stage.is_sqlite:
        source, target = sqlite3.connect(stage.file, timeout=20), sqlite3.connect(copy)
        with source, target:
            source.backup(target)
        source.close()
        target.close()
    else:
        _postgres("pg_dump", "-Fc", "--dbname", stage.address, "--file", str(copy))
    return copy


def _restore_file(stage: Stage, copy: Path) -> None:
    for web in stage.webs:
        web.kill()
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{stage.file}{suffix}").unlink()
    shutil.copy(copy, stage.file)
    stage.site.manage("rotate_epoch")
    for web in stage.webs:
        web.start()


def _restore_dump(stage: Stage, copy: Path) -> None:
    _postgres("pg_restore", "--clean", "--if-exists", "--single-transaction", "--no-owner", "--dbname", stage.address, str(copy))


def _postgres(program: str, *arguments: str) -> None:
    path = machine.postgres_program(program)
    assert path, f"apt install postgresql: there is no {program}"
    subprocess.run([path, *arguments], check=True, capture_output=True)
