"""Django's SQLite backend, but a transaction that could not begin leaves no cursor behind.

Such a cursor lies in the traceback of its error, so in a cycle, and the garbage collector of whichever thread comes by ends it. That
takes the connection's lock, which its own thread may hold meanwhile, waiting for the write lock; where the collecting thread has
the write lock, both stand still until the wait is over and somebody is told "database is locked" (found by `make chaos`).
"""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        with self.cursor() as cursor:
            cursor.execute(f"BEGIN {self.transaction_mode or ''}")  # type: ignore[attr-defined]  # unknown to the stubs
