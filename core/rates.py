"""How fast one caller may call: a token bucket for each, held in this process: docs/reference/api.md.

Each web process counts for itself, so with N of them a caller gets up to N times the rate. That keeps a limit off the database and
without Redis; a limit for a whole installation belongs into the proxy in front.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import Code, Problem

MAX_CALLERS = 10_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class Rate:
    """`per_second` calls on average, up to `burst` at once."""

    per_second: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, who: str) -> float:
        """Take one call of a caller; 0 when she had one left, else the seconds until she has."""
        now = self.clock()
        with self._lock:
            bucket = self._buckets.get(who)
            if bucket is None:
                bucket = self._new(who, now)
            bucket.level = min(self.burst, bucket.level + (now - bucket.at) * self.per_second)
            bucket.at = now
            if bucket.level < 1:
                return (1 - bucket.level) / self.per_second
            bucket.level -= 1
            return 0.0

    def wait(self, who: str) -> float:
        """The seconds until a caller has a call left, without taking one; 0 when now."""
        with self._lock:
            bucket = self._buckets.get(who)
            level = bucket.level + (self.clock() - bucket.at) * self.per_second if bucket else self.burst
            return max(0.0, (1 - level) / self.per_second)

    def forget(self) -> None:
        """Start anew with everybody."""
        with self._lock:
            self._buckets.clear()

    def _new(self, who: str, now: float) -> _Bucket:
        if len(self._buckets) >= MAX_CALLERS:
            # Whoever's bucket is full again loses nothing by being forgotten; if nobody's is, all start anew.
            idle = self.burst / self.per_second
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if now - bucket.at < idle}
            if len(self._buckets) >= MAX_CALLERS:
                self._buckets.clear()
        return self._buckets.setdefault(who, _Bucket(self.burst, now))


CALLS = Rate(50, 200)
WIDGETS = Rate(1000, 1000)


def check(who: str, path: str) -> None:
    """Count one call to an address below the API's root. Raises Problem (429) with the time to wait."""
    rate = WIDGETS if path.split("/", 1)[0] == "widgets" else CALLS
    wait = rate.take(who)
    if wait:
        raise Problem(Code.TOO_MANY, f"At most {rate.per_second:g} calls a second, {rate.burst:g} at once.", retry_after=wait)
