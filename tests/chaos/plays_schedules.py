"""Row 17: two beats at once, one of them killed, and none for three hours. Each slot of a recurring broadcast is sent once."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.stage import Stage
from tests.support.servers import Process

HOUR = 3600
_PLAN = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from notifications.broadcasts.actions import recur
from notifications.models import Recurrence
boss = get_user_model().objects.create_superuser("chaos-boss")
made = recur("user:chaos-boss", "0 * * * *", title="chaos-slot", sender=boss)
print(int(made.next_at.timestamp()))
"""
_SLOTS = "SELECT slot FROM signalbox_notifications_schedule ORDER BY slot"
_SENT = "SELECT count(*) FROM signalbox_notifications_notification WHERE title = 'chaos-slot'"
_TWICE = "SELECT user_id, notification_id FROM signalbox_notifications_inboxitem GROUP BY 1, 2 HAVING count(*) > 1"


def beats_doubled_and_dead(stage: Stage) -> None:
    """The wall clock goes on by hours; timers do not. A lease on SQLite lapses by that, on Postgres after its fifteen seconds."""
    assert stage.place is not None
    first = int(stage.site.manage("shell", "-v0", "-c", _PLAN).stdout.split()[-1])

    def clock(hours: int) -> None:
        """Set the clock to a minute after the first slot, and so many hours on."""
        assert stage.place is not None
        stage.place.write_text(str(first + 60 + hours * HOUR - int(time.time())))

    try:
        with _processes(stage) as (beats, _worker):
            clock(0)
            _until_sent(stage, 1, "the first slot, by two beats")
            beats[0].kill()
            clock(1)
            _until_sent(stage, 2, "the second slot, after one beat was killed")
            beats[1].kill()
            clock(4)  # two and three were missed; the newest is within the hour
            stage.wait(3.0)
            stage.expect(_sent(stage) == 2, "nothing is sent while no beat lives")
            for beat in beats:
                beat.start()
            _until_sent(stage, 3, "the newest slot, after three hours without a beat")
            stage.wait(6.0)  # both beats sweep once more
            beats[0].stop(by=signal.SIGTERM, patience=10)
            clock(5)
            _until_sent(stage, 4, "the next slot, after a beat ended")
    finally:
        stage.place.write_text("0")
    slots = [row[0] for row in stage.rows(_SLOTS)]
    stage.expect(len(slots) == len(set(slots)) == _sent(stage) == 4, f"one item for each slot: {len(slots)} slots, {_sent(stage)} items")
    stage.expect(not stage.rows(_TWICE), "nobody has an item twice")
    stage.until_traffic(stage.scene.least)


def _sent(stage: Stage) -> int:
    return int(stage.rows(_SENT)[0][0])


def _until_sent(stage: Stage, count: int, described: str) -> None:
    stage.until(lambda: _sent(stage) >= count, described, seconds=45)
    stage.expect(_sent(stage) == count, f"{described}: once, not {_sent(stage) - count + 1} times")


@contextmanager
def _processes(stage: Stage) -> Iterator[tuple[list[Process], Process]]:
    celery, environment = [sys.executable, "-m", "celery", "-A", "workers.celery"], stage.site.env()
    quick = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    worker = Process([*celery, "worker", "-Q", "live,delivery,bulk", *quick], stage.folder / "worker.log", environment)
    beats = [Process([*celery, "beat", "--loglevel", "WARNING"], stage.folder / f"beat{number}.log", environment) for number in range(2)]
    try:
        for process in [worker, *beats]:
            process.start()
        yield beats, worker
    finally:
        for process in [worker, *beats]:
            process.kill()
