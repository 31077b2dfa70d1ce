"""The relay: every web process sweeps for committed events that nobody numbered, and so rescues what a killed publisher left."""

import logging
from collections.abc import Iterable

from django.db import DatabaseError, router

from core.delivery import figures, sequencer, statements
from core.delivery.broker import broker
from core.delivery.sequencer import Batch
from core.models import Event

logger = logging.getLogger(__name__)

EVERY = 0.5  # seconds, jittered by the caller
LOOKED_AT = 2000  # waiting events in one sweep
CHANNELS = 200  # in one numbering transaction


class Relay:
    """Remembers what the last sweep saw waiting: only what still waits one sweep later is ours to number."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def sweep(self) -> list[Batch]:
        """Number what has been waiting for a whole sweep, broadcast it, and return it for our own hub. Blocking."""
        waiting = dict(statements.waiting_anywhere(limit=LOOKED_AT, using=router.db_for_write(Event)))
        left = {channel for id, channel in waiting.items() if id in self._seen}
        self._seen = set(waiting)
        return [batch for channels in _portions(sorted(left)) for batch in self._number(channels)]

    def _number(self, channels: list[str]) -> list[Batch]:
        try:
            outcome = sequencer.sequence(channels, skip_locked=True)
        except DatabaseError as error:
            logger.debug("relay comes back: %s", error)
            return []
        figures.relay_rescues.inc(sum(len(batch.rows) for batch in outcome.batches))
        broker.broadcast(outcome.batches)
        return outcome.batches


def _portions(channels: list[str]) -> Iterable[list[str]]:
    return (channels[start : start + CHANNELS] for start in range(0, len(channels), CHANNELS))
