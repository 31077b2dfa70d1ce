"""Writers of one process wait for each other, and for nothing else."""

import gc
import sys
import threading

import pytest
from django.db import OperationalError, connection, transaction

from tests.support.servers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True)]


def _waits_for_the_lock(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_name == "execute" and frame.f_code.co_filename.endswith("sqlite3/base.py")


class Writer(threading.Thread):
    """Fails to begin once, keeps that error, and then waits as long as it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.failed, self.wrote = threading.Event(), False

    def run(self) -> None:
        try:
            self._fail()
            self.failed.set()
            connection.cursor().execute("PRAGMA busy_timeout = 8000").close()
            with transaction.atomic():
                self.wrote = True
        finally:
            connection.close()

    def _fail(self) -> None:
        connection.ensure_connection()
        connection.cursor().execute("PRAGMA busy_timeout = 1").close()
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            raise AssertionError


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite")
def test_what_a_writer_in_vain_left_behind_is_cleared_away_while_it_waits_again() -> None:
    """The collector of the thread with the lock waited for the thread that waited for the lock."""
    writer = Writer()
    gc.disable()
    try:
        with transaction.atomic():
            writer.start()
            assert writer.failed.wait(30)
            wait_until(lambda: _waits_for_the_lock(writer), described="the writer to wait")
            gc.collect()
    finally:
        gc.enable()
    writer.join()
    assert writer.wrote
