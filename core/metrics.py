"""Figures about this process, for Prometheus and for our own boards: docs/operations.md lists them.

Every web process keeps its own; with several behind one address a scrape sees one of them. What workers count too: core.tallies.
The registry is our own because this is all of it that we need, and because it must cost nothing on the delivery path.
"""

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

_NAME = re.compile(r"signalbox_[a-z0-9_]+", re.ASCII)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_SERIES = 1000  # of one metric: labels take few values; a label that takes many is a mistake that must not eat the memory

Labels = tuple[str, ...]


class Registry:
    """The metrics of one process, in the order of their names."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}
        self._lock = threading.Lock()

    def add(self, metric: "Metric") -> None:
        """Add a metric. Raises ValueError when its name is bad or taken."""
        with self._lock:
            if not _NAME.fullmatch(metric.name) or metric.name in self._metrics:
                raise ValueError(f"{metric.name!r} is taken, or no name for a metric: signalbox_ and small letters.")
            self._metrics[metric.name] = metric

    def get(self, name: str) -> "Metric | None":
        return self._metrics.get(name)

    def exposition(self) -> str:
        """Everything in Prometheus' text format, version 0.0.4."""
        return "".join(f"{line}\n" for name in sorted(self._metrics) for line in self._metrics[name].lines())


registry = Registry()


class Metric:
    """What counters, gauges and histograms share: a name, a help text, labels, and a value for each set of label values."""

    type: ClassVar[str]

    def __init__(self, name: str, help: str, *, labels: Sequence[str] = (), registry: Registry = registry) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}
        self._lock = threading.Lock()
        registry.add(self)

    def value(self, **labels: str) -> float:
        """The present value of one series; 0 when it never moved."""
        return self._values.get(self._key(labels), 0.0)

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.type}"
        yield from self._samples()

    def _samples(self) -> Iterable[str]:
        with self._lock:
            values = sorted(self._values.items())
        return [line_of(self.name, zip(self.labels, key, strict=True), value) for key, value in values]

    def _key(self, labels: dict[str, str]) -> Labels:
        if labels.keys() != set(self.labels):
            raise ValueError(f"{self.name} has the labels {', '.join(self.labels) or 'none'}.")
        key = tuple(str(labels[name]) for name in self.labels)
        return key if key in self._values or len(self._values) < MAX_SERIES else ("other",) * len(key)

    def _add(self, amount: float, labels: dict[str, str]) -> None:
        key = self._key(labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + amount


class Counter(Metric):
    """Counts what happened; never goes back. Its name ends in `_total`."""

    type = "counter"

    def inc(self, amount: float = 1, **labels: str) -> None:
        self._add(amount, labels)


class Gauge(Metric):
    """Says how much there is now: set or moved, or read by a function at every scrape (None: not known just now, nothing is told)."""

    type = "gauge"

    def __init__(
        self,
        name: str,
        help: str,
        *,
        labels: Sequence[str] = (),
        read: Callable[[], float | None] | None = None,
        registry: Registry = registry,
    ) -> None:
        super().__init__(name, help, labels=labels, registry=registry)
        self._read = read

    def set(self, value: float, **labels: str) -> None:
        key = self._key(labels)
        with self._lock:
            self._values[key] = value

    def inc(self, amount: float = 1, **labels: str) -> None:
        self._add(amount, labels)

    def dec(self, amount: float = 1, **labels: str) -> None:
        self._add(-amount, labels)

    def value(self, **labels: str) -> float:
        return (self._read() or 0.0) if self._read else super().value(**labels)

    def _samples(self) -> Iterable[str]:
        if self._read is None:
            return super()._samples()
        value = self._read()
        return [] if value is None else [line_of(self.name, (), value)]


class Histogram(Metric):
    """Counts observations by size. `buckets` are upper bounds, growing; the default ones suit seconds."""

    type = "histogram"

    def __init__(
        self, name: str, help: str, *, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS, registry: Registry = registry
    ) -> None:
        super().__init__(name, help, labels=labels, registry=registry)
        self.buckets = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {} if labels else {(): self._empty()}

    def observe(self, value: float, **labels: str) -> None:
        key = self._key(labels)
        with self._lock:
            self._counts.setdefault(key, self._empty())[bisect_left(self.buckets, value)] += 1
            self._values[key] = self._values.get(key, 0.0) + value

    @contextmanager
    def time(self, **labels: str) -> Iterator[None]:
        """Observe how many seconds the block takes, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.observe(time.perf_counter() - start, **labels)

    def count(self, **labels: str) -> int:
        """How many observations one series has."""
        return sum(self._counts.get(self._key(labels), ()))

    def counts(self, **labels: str) -> tuple[int, ...]:
        """How many observations fell into each bucket; one more than there are bounds."""
        return tuple(self._counts.get(self._key(labels)) or self._empty())

    def _empty(self) -> list[int]:
        return [0] * (len(self.buckets) + 1)

    def _samples(self) -> Iterator[str]:
        with self._lock:
            series = sorted((key, list(counts), self._values.get(key, 0.0)) for key, counts in self._counts.items())
        for key, counts, total in series:
            labels = list(zip(self.labels, key, strict=True))
            running = 0
            for bound, count in zip((*self.buckets, float("inf")), counts, strict=True):
                running += count
                yield line_of(f"{self.name}_bucket", [*labels, ("le", _number(bound))], running)
            yield line_of(f"{self.name}_sum", labels, total)
            yield line_of(f"{self.name}_count", labels, running)


def line_of(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    """One sample in Prometheus' words."""
    written = ",".join(f'{label}="{_escaped(text, quotes=True)}"' for label, text in labels)
    return f"{name}{{{written}}} {_number(value)}" if written else f"{name} {_number(value)}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
