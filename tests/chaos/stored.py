"""What the database holds, read past the product by SQL of our own."""

import json
import sqlite3
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.clients import TITLE
from tests.chaos.records import Mark, Place, StateTrack, Stored

_EVENTS = (
    'SELECT channel, "offset", type, key, data FROM signalbox_event '
    "WHERE (channel LIKE 'chaos%' OR channel LIKE 'user:%') AND \"offset\" IS NOT NULL ORDER BY channel, \"offset\""
)


def rows(address: str, file: Path, statement: str) -> list[tuple[Any, ...]]:
    """The answer of the database at this address, or of the SQLite file where there is none."""
    if address:
        import psycopg

        with psycopg.connect(address, connect_timeout=5) as connection:
            return list(connection.execute(statement))  # type: ignore[call-overload]
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()


def read(address: str, file: Path) -> Stored:
    logs: dict[str, list[Mark]] = defaultdict(list)
    offsets: dict[str, list[int]] = defaultdict(list)
    states: dict[str, StateTrack] = {}
    for channel, offset, type, key, text in rows(address, file, _EVENTS):
        data = json.loads(text)
        if channel.startswith(("chaosstate:", "chaospaced:")):
            states.setdefault(channel, StateTrack("database", channel)).show(type, key, data.get("v"))
            continue
        offsets[channel].append(offset)
        logs[channel] += _marks(channel, data)
    values: dict[str, dict[Place, Any]] = {name: track.values for name, track in states.items()}
    return Stored({name: tuple(marks) for name, marks in logs.items()}, {name: tuple(found) for name, found in offsets.items()}, values)


def _marks(channel: str, data: dict[str, Any]) -> list[Mark]:
    if not channel.startswith("user:"):
        return [Mark(data["p"], data["n"])]
    return [Mark(name, int(number)) for name, number in TITLE.findall(str(data.get("row", {}).get("title", "")))]


def with_counts(truth: Stored, counts: dict[str, str]) -> Stored:
    return replace(truth, counts=counts)


def gaps(stored: Stored) -> list[str]:
    """Logs whose offsets are not 1, 2, 3 ..."""
    return [channel for channel, found in stored.offsets.items() if list(found) != list(range(found[0], found[0] + len(found)))]
