"""Publishing outside any transaction: one statement inserts and numbers, where the channel is free for it.

No commit of the caller's has to be waited for, so numbering needs no transaction of its own, and Postgres holds the channel's row no
longer than that one statement takes, whatever becomes of the publisher. Where a channel is not free (somebody numbers it just now,
earlier events still wait there, it has no row yet) the event is inserted without an offset and numbered as all others are.
"""

from collections import defaultdict
from collections.abc import Sequence

from django.db import connections

from core.delivery import failpoints, figures, sequencer, statements
from core.delivery.channel import Keeps, Kind, registry
from core.delivery.position import Range
from core.delivery.sequencer import PASS, Batch
from core.delivery.statements import NewRow, Waiting

MOST = 10_000  # rows of one statement: it holds their channels for about 0.2 s (measured)


def may_be(rows: Sequence[NewRow], *, using: str) -> bool:
    """Whether these rows may be numbered as they are inserted: outside any transaction, on logs that note no offsets and redact nothing."""
    if connections[using].in_atomic_block or not connections[using].get_autocommit():
        return False
    return len(rows) <= MOST and all(_is_plain(registry.known(channel)) for channel in {row.channel for row in rows})


def _is_plain(kind: Kind) -> bool:
    own = type(kind)
    return kind.keeps is Keeps.LOG and own.numbered is Kind.numbered and own.redacts is Kind.redacts


def insert(rows: Sequence[NewRow], *, using: str) -> list[int]:
    """Insert these rows outside any transaction, all or none, number and broadcast them. Returns their ids, rising in their order."""
    from core.delivery.broker import broker

    failpoints.hit("before_commit")
    made = statements.insert_at_once(rows, using=using)
    failpoints.hit("after_commit")
    left, numbered = {}, defaultdict(list)
    for row, id, offset in zip(rows, made.ids, made.offsets, strict=True):
        if offset is None:
            left[id] = row.channel
        else:
            waiting = Waiting(id, row.channel, row.type, row.slot, row.key, row.major, row.minor, row.data, made.at, offset)
            numbered[row.channel].append(waiting)
    figures.publishes.inc(len(rows))
    figures.sequenced.inc(len(rows) - len(left))
    failpoints.hit("sequenced")
    broker.broadcast(Batch(channel, _span(made.epoch, of), of) for channel, of in numbered.items())
    if left:
        sequencer.sequence_committed(left)
    if len(rows) > PASS:  # others may have waited in vain for these channels meanwhile
        sequencer.sequence_channels(numbered)
    return list(made.ids)


def _span(epoch: str, rows: Sequence[Waiting]) -> Range:
    first, last = rows[0].offset or 0, rows[-1].offset or 0
    return Range(epoch, first - 1, last)
