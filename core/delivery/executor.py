"""The delivery executor: database work for the live path, apart from the one thread that Channels and Django share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")

# Few threads: each holds a connection while it works, and batches keep their number small.
_THREADS = 4
_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="delivery")


def _release() -> None:
    """Give pooled connections back; others stay open for the next call of this thread."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["CONN_MAX_AGE"] == 0:
            connection.close()


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        _release()


async def on_executor(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking code with a database on the delivery executor."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor, lambda: _call(function, *args, **kwargs))


def submit(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run blocking code on the delivery executor from any thread, without waiting for it."""
    try:
        _executor.submit(lambda: _call(function, *args, **kwargs))
    except RuntimeError:
        # The interpreter is ending: what would have been done here is left to the relay of a process that lives.
        return
