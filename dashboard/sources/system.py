"""Figures of the machine that the worker runs on."""

import time
from typing import Annotated, Any, Literal

import msgspec
import psutil
from msgspec import Meta

from dashboard.sources.base import Found, Look, PollConfig, SourceKind, check_numbers, takes_numbers, wrong
from dashboard.widgets.base import WidgetKind

WINDOW = 0.3  # seconds over which CPU and network are measured: two polls may be two processes, which know nothing of each other
Figure = Literal["cpu", "memory", "swap", "disk", "load", "network", "processes", "uptime"]
TITLES = {
    "cpu": "CPU, %",
    "memory": "Memory, %",
    "swap": "Swap, %",
    "disk": "Disk, %",
    "load": "Load, % of cores",
    "network": "Network, kB/s",
    "processes": "Processes",
    "uptime": "Up, hours",
}


class SystemConfig(PollConfig, frozen=True):
    figures: Annotated[list[Figure], Meta(min_length=1, max_length=8)] = msgspec.field(default_factory=lambda: ["cpu"])


class SystemSource(SourceKind):
    name = "system"
    title = "This machine"
    help = f"What the machine of the worker is doing. Figures: {', '.join(TITLES)}; several of them are several lines."
    config = SystemConfig
    every = 5

    def feeds(self, widget: WidgetKind) -> bool:
        return takes_numbers(widget)

    def settings(self, config: Any, widget: WidgetKind) -> SystemConfig:
        typed: SystemConfig = super().settings(config, widget)
        if len(set(typed.figures)) < len(typed.figures):
            raise wrong("A figure is named once.", "figures")
        check_numbers(widget, lines=len(typed.figures))
        return typed

    def look(self, config: SystemConfig, widget: WidgetKind) -> Look:
        values = figures(config.figures)
        if not widget.several:
            return Look([Found(values[config.figures[0]])])
        return Look([Found(values[figure], figure, TITLES[figure]) for figure in config.figures])


def figures(names: Annotated[list[Figure], Meta(max_length=8)]) -> dict[Figure, float]:
    """The value of each of these figures now."""
    measured = _measured() if {"cpu", "network"} & set(names) else {}
    return {name: measured[name] if name in measured else _now(name) for name in names}


def _measured() -> dict[str, float]:
    """What is a difference between two moments."""
    before, began = psutil.net_io_counters(), time.monotonic()
    cpu = psutil.cpu_percent(interval=WINDOW)
    after, length = psutil.net_io_counters(), time.monotonic() - began
    moved = after.bytes_recv + after.bytes_sent - before.bytes_recv - before.bytes_sent
    return {"cpu": cpu, "network": round(moved / 1000 / length, 1)}


def _now(name: Figure) -> float:
    match name:
        case "memory":
            return float(psutil.virtual_memory().percent)
        case "swap":
            return float(psutil.swap_memory().percent)
        case "disk":
            return float(psutil.disk_usage("/").percent)
        case "load":
            return round(float(psutil.getloadavg()[0] / (psutil.cpu_count() or 1) * 100), 1)
        case "processes":
            return len(psutil.pids())
    return round((time.time() - float(psutil.boot_time())) / 3600, 1)
