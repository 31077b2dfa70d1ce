"""This machine's own figures, and this Signalbox's, onto the board `this-machine`, where there is one."""

import time
from collections.abc import Iterator
from functools import cache

import psutil
from django.utils import timezone

from core import jobs
from core.delivery import service
from dashboard.actions import NewValue, record_many
from dashboard.models import Widget

BOARD = "this-machine"


def register() -> None:
    jobs.register("sample_machine", sample_machine, queue="live", every=2)


def sample_machine() -> int:
    """Record one sample of everything that the board shows. Returns how many values that was."""
    present = set(Widget.objects.filter(dashboard__slug=BOARD).values_list("slug", flat=True))
    if not present:
        return 0
    now = timezone.now()
    wanted = [(widget, series, value) for widget, series, value in figures() if widget in present]
    return record_many([NewValue(f"{BOARD}/{widget}", value, now, series) for widget, series, value in wanted])


def figures() -> Iterator[tuple[str, str, float]]:
    """(widget, series, value) of everything there is to measure just now."""
    memory = psutil.virtual_memory()
    yield "memory", "", memory.percent
    yield "usage", "memory", memory.percent
    yield "used", "", (memory.total - memory.available) // 2**20
    yield "disk", "", psutil.disk_usage("/").percent
    load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1) * 100
    yield "usage", "load", round(load, 1)
    since = _meters()
    if (cpu := since.cpu()) is not None:
        yield "cpu", "", cpu
        yield "usage", "cpu", cpu
    if (network := since.network()) is not None:
        yield "network", "", network
    yield from _service()


def _service() -> Iterator[tuple[str, str, float]]:
    """What all web processes do; nothing where there is none, so that the tiles say how old they are."""
    now = service.together()
    if now.processes:
        yield "connections", "", now.connections
        for name, rate in (("publishes", now.publishes), ("deliveries", now.deliveries)):
            yield name, "", round(rate, 2)
            yield "traffic", name, round(rate, 2)
    if now.lag is not None:
        yield "lag", "", round(now.lag, 2)


class _Meters:
    """Figures that are a difference to this process's last look; None at the first, and when the last was just now."""

    SOON = 0.5  # seconds: over less than that a percentage says nothing

    def __init__(self) -> None:
        self._cpu_at = self._bytes_at = 0.0
        self._bytes = 0

    def cpu(self) -> float | None:
        now, before = time.monotonic(), self._cpu_at
        if before and now - before < self.SOON:
            return None
        self._cpu_at = now
        percent = psutil.cpu_percent(interval=None)
        return percent if before else None

    def network(self) -> float | None:
        """Kilobytes a second, in and out."""
        now, before, bytes_before = time.monotonic(), self._bytes_at, self._bytes
        if before and now - before < self.SOON:
            return None
        counters = psutil.net_io_counters()
        self._bytes_at, self._bytes = now, counters.bytes_recv + counters.bytes_sent
        return round((self._bytes - bytes_before) / 1000 / (now - before), 1) if before else None


@cache
def _meters() -> _Meters:
    # At the first look and not at import: a worker's processes are forked after it.
    return _Meters()
