"""The hand-written SQL of publishing and numbering. What can go together goes to Postgres in one round trip.

The ORM would say the same in 15 round trips and four times the CPU (one publish with its numbering; docs/delivery.md has the figures).
Column names are ours, never input.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connections, transaction

from core.delivery import wire
from core.models import Channel, Epoch, Event

_COLUMNS = {"channel": "text", "type": "text", "slot": "text", "key": "text", "major": "bigint", "minor": "bigint", "data": "text"}
_EVENT, _CHANNEL, _EPOCH = (f'"{model._meta.db_table}"' for model in (Event, Channel, Epoch))

COPIED = 50  # rows from which Postgres' COPY costs less: half of an INSERT's time with ten thousand

Statement = tuple[str, Sequence[Any]]
_LIFE: Statement = (f"SELECT value FROM {_EPOCH} ORDER BY id LIMIT 1", ())
_LIFE_NOW: Statement = (f"SELECT (SELECT value FROM {_EPOCH} ORDER BY id LIMIT 1), extract(epoch FROM statement_timestamp())::float8", ())


class NewRow(NamedTuple):
    """An event as it is inserted; the fields are those of _COLUMNS."""

    channel: str
    type: str
    slot: str
    key: str
    major: int | None
    minor: int
    data: str


@dataclass(slots=True)
class Locked:
    """A channel's row under our lock. `since`: seconds since it was last numbered, by the database's clock; None: never."""

    name: str
    head: int
    since: float | None


@dataclass(slots=True)
class Waiting:
    """A committed event without an offset."""

    pk: int
    channel: str
    type: str
    slot: str
    key: str
    major: int | None
    minor: int
    data: str
    at: float  # unix seconds
    offset: int | None = None


class Numbered(NamedTuple):
    """What a numbered event carries."""

    offset: int
    type: str
    key: str
    data: str
    at: float  # unix seconds


class Made(NamedTuple):
    """What `insert_at_once` made: the id and the offset of each row (None: its channel was not free), and when, in unix seconds."""

    ids: Sequence[int]
    offsets: Sequence[int | None]
    epoch: str
    at: float


class Held(NamedTuple):
    """What `lock` found: the locked rows by name, the epoch ("" where none is drawn yet), and what waits on all channels asked for."""

    rows: list[Locked]
    epoch: str
    waiting: list[Waiting]


def insert_events(rows: Sequence[NewRow], *, using: str) -> list[int]:
    """Insert events in one statement, all or none, and return their ids, which rise in the order of the rows."""
    connection = connections[using]
    if connection.vendor == "postgresql" and len(rows) >= COPIED:
        return _copy_events(rows, connection)
    names = _named(_COLUMNS)
    # One JSON text: ten thousand placeholders cost more than the rows, and psycopg writes arrays in Python.
    if connection.vendor == "postgresql":
        columns = ", ".join(f"(given.row->>{place})::{type}" for place, type in enumerate(_COLUMNS.values()))
        source = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given(row, place) ORDER BY given.place"
    else:
        columns = ", ".join(f"json_extract(given.value, '$[{place}]')" for place in range(len(_COLUMNS)))
        source = "json_each(%s) AS given ORDER BY given.key"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {_EVENT} ({names}) SELECT {columns} FROM {source} RETURNING id", [wire.dump(rows)])
        return [id for (id,) in cursor.fetchall()]


def _copy_events(rows: Sequence[NewRow], connection: Any) -> list[int]:
    columns = _named(["id", *_COLUMNS])
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [_EVENT, len(rows)])
        ids = [id for (id,) in cursor.fetchall()]
        with cursor.copy(f"COPY {_EVENT} ({columns}) FROM STDIN") as copy:
            for id, row in zip(ids, rows, strict=True):
                copy.write_row((id, *row))
    return ids


def insert_at_once(rows: Sequence[NewRow], *, using: str) -> Made:
    """Outside any transaction: insert events, all or none, and number those of channels on which nothing waits and that nobody holds.

    Waits for no other publisher. The ids rise in the order of the rows, and so do the offsets on each channel.
    """
    counts: dict[str, int] = {}
    ranks = []
    for row in rows:
        counts[row.channel] = rank = counts.get(row.channel, 0) + 1
        ranks.append(rank)
    if connections[using].vendor == "postgresql":
        made, life = _together(using, [_insert_ranked(rows, ranks, counts), _LIFE_NOW])
    else:
        with transaction.atomic(using=using):
            made, life = _insert_in_turn(rows, ranks, counts, using)
    epoch, at = life[0]
    ids, offsets = zip(*made, strict=True)
    return Made(ids, offsets, epoch or "", _seconds(at))


def lock(names: Sequence[str], *, of: Collection[int] = (), skip_locked: bool, patience_ms: int, limit: int, using: str) -> Held:
    """Inside a transaction, which begins with this: lock the rows of these channels in the order of their names, and read up to `limit`
    of what waits there.

    `of`: only channels on which one of these events still waits. Raises OperationalError after `patience_ms` (Postgres).
    """
    connection = connections[using]
    which, parameters = f"name {_among(using, 'text')}", [_list(using, names, "text")]
    if of:
        which = f'name IN (SELECT channel FROM {_EVENT} WHERE id {_among(using, "bigint")} AND "offset" IS NULL)'
        parameters = [_list(using, of, "bigint")]
    since = "extract(epoch FROM statement_timestamp() - numbered_at)::float8"
    if connection.vendor != "postgresql":
        since = "(julianday('now') - julianday(numbered_at)) * 86400.0"
    rows: Statement = (f"SELECT name, head, {since} FROM {_CHANNEL} WHERE {which} ORDER BY name", parameters)
    before: list[Statement] = []
    if connection.vendor == "postgresql":
        before = [
            (f"SET LOCAL lock_timeout = '{patience_ms}ms'", ()),
            ("SET LOCAL idle_in_transaction_session_timeout = '1s'", ()),
        ]
        # no_key: a plain FOR UPDATE clashes with foreign keys that other code may point at channels.
        rows = (rows[0] + " FOR NO KEY UPDATE" + (" SKIP LOCKED" if skip_locked else ""), parameters)
    locked, life, left = _together(using, [*before, rows, _LIFE, _waiting(names, limit, using)], begins=True)[len(before) :]
    return Held(
        [Locked(*row) for row in locked],
        life[0][0] if life else "",
        [_left(row) for row in left],
    )


def waiting_anywhere(*, limit: int, using: str) -> list[tuple[int, str]]:
    """(id, channel) of what waits, by id."""
    (rows,) = _together(using, [(f'SELECT id, channel FROM {_EVENT} WHERE "offset" IS NULL ORDER BY {_NOT_BY_INDEX} LIMIT {limit:d}', ())])
    return rows


def waiting(names: Collection[str], *, limit: int, using: str) -> list[Waiting]:
    """What waits on these channels, by id."""
    (rows,) = _together(using, [_waiting(names, limit, using)])
    return [_left(row) for row in rows]


def standing(channel: str, keys: Collection[str], below: Collection[str], *, using: str) -> list[tuple[Any, ...]]:
    """(id, type, slot, key, major, minor) of the numbered events of a channel with one of these keys, or with one below one of these."""
    select = "SELECT id, type, slot, key, major, minor"
    stands = f'{_EVENT} WHERE channel = %s AND "offset" IS NOT NULL'
    if connections[using].vendor == "postgresql":
        # Key by key along the index: a list of hundreds looks to Postgres like a reason to read all that the channel has.
        of_key = f"{select} FROM {stands} AND key = given.asked {_FENCE}"
        of_keys = f"{select} FROM unnest(%s::text[]) AS given(asked) CROSS JOIN LATERAL ({of_key}) AS found"
    else:
        of_keys = f"WITH given AS (SELECT value FROM json_each(%s)) {select} FROM {stands} AND key IN (SELECT value FROM given)"
    (rows,) = _together(using, [(of_keys, [_list(using, keys, "text"), channel])])
    if below:
        about = "split_part(key, '/', 1)" if connections[using].vendor == "postgresql" else "substr(key, 1, instr(key || '/', '/') - 1)"
        (more,) = _together(
            using, [(f"{select} FROM {stands} AND {about} {_among(using, 'text')}", [channel, _list(using, below, "text")])]
        )
        rows = list({row[0]: row for row in (*rows, *more)}.values())
    return rows


def number(offsets: Sequence[tuple[int, int]], losers: Sequence[int], heads: Mapping[str, int], *, commits: bool, using: str) -> None:
    """Delete the losers, then give (id, offset) to events, then move the heads: one statement each, whatever the number of rows.

    `commits`: nothing comes after this in the transaction, so that it may end in the same round trip.
    """
    now = "statement_timestamp()" if connections[using].vendor == "postgresql" else _SQLITE_NOW
    work: list[Statement] = []
    if losers:
        work.append((f"DELETE FROM {_EVENT} WHERE id {_among(using, 'bigint')}", [_list(using, losers, "bigint")]))
    if offsets:
        source, parameters = _pairs(offsets, "bigint", using)
        work.append((f'UPDATE {_EVENT} SET "offset" = given.b FROM {source} WHERE {_EVENT}.id = given.a', parameters))
    source, parameters = _pairs(list(heads.items()), "text", using)
    work.append((f"UPDATE {_CHANNEL} SET head = given.b, numbered_at = {now} FROM {source} WHERE {_CHANNEL}.name = given.a", parameters))
    _together(using, work, commits=commits)


def moved(heads: Mapping[str, int], *, using: str) -> tuple[str, dict[str, int]]:
    """The epoch, and the heads of those channels that stand elsewhere than given. A channel without a row stands at 0.

    What has not moved is neither sent nor read: of ten thousand channels that all stand still nothing comes back.
    """
    if connections[using].vendor == "postgresql":
        given = "json_each_text(%s::json) AS given(name, head)"
        differs = "coalesce(known.head, 0) <> given.head::bigint"
    else:
        given = "(SELECT key AS name, value AS head FROM json_each(%s)) AS given"
        differs = "coalesce(known.head, 0) <> given.head"
    rows: Statement = (
        f"SELECT given.name, coalesce(known.head, 0) FROM {given} LEFT JOIN {_CHANNEL} AS known ON known.name = given.name WHERE {differs}",
        [wire.dump(heads)],
    )
    epoch, found = _together(using, [_LIFE, rows])
    return epoch[0][0] if epoch else "", dict(found)


def standings(names: Collection[str], *, using: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """The epoch, and head and tail of those of these channels that have a row."""
    rows: Statement = (f"SELECT name, head, tail FROM {_CHANNEL} WHERE name {_among(using, 'text')}", [_list(using, names, "text")])
    epoch, found = _together(using, [_LIFE, rows])
    return epoch[0][0] if epoch else "", {name: (head, tail) for name, head, tail in found}


def between(spans: Collection[tuple[str, int, int]], *, using: str) -> Iterator[tuple[str, Numbered]]:
    """The events of each channel whose offset is in (start, end], by channel and offset."""
    columns = f'event.channel, event."offset", event.type, event.key, event.data, {_at(using, "event.")} AS moment'
    meets = 'event.channel = given.name AND event."offset" > given.low AND event."offset" <= given.high'
    if connections[using].vendor == "postgresql":
        given = (
            "(SELECT item->>0 AS name, (item->>1)::bigint AS low, (item->>2)::bigint AS high FROM jsonb_array_elements(%s::jsonb) AS item)"
        )
        found = f"SELECT {columns} FROM {_EVENT} AS event WHERE {meets} {_FENCE}"
        sql = f'SELECT event.* FROM {given} AS given CROSS JOIN LATERAL ({found}) AS event ORDER BY event.channel, event."offset"'
    else:
        given = (
            "(SELECT json_extract(value, '$[0]') AS name, json_extract(value, '$[1]') AS low, json_extract(value, '$[2]') AS high "
            "FROM json_each(%s))"
        )
        sql = f'SELECT {columns} FROM {given} AS given JOIN {_EVENT} AS event ON {meets} ORDER BY event.channel, event."offset"'
    (rows,) = _together(using, [(sql, [wire.dump(list(spans))])])
    return ((channel, Numbered(offset, type, key, data, _seconds(at))) for channel, offset, type, key, data, at in rows)


# --- the two dialects ---

# Postgres would join the subquery before this as it pleases: by reading the whole table, where it thinks that it is small.
_FENCE = "OFFSET 0"
# By id, but not along the primary key: that would be a walk through all that was ever published until enough is found that waits.
_NOT_BY_INDEX = "id + 0"

_SQLITE_NOW = "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')"


def _waiting(names: Collection[str], limit: int, using: str) -> Statement:
    sql = (
        f"SELECT id, channel, type, slot, key, major, minor, data, {_at(using)} FROM {_EVENT} "
        f'WHERE channel {_among(using, "text")} AND "offset" IS NULL ORDER BY {_NOT_BY_INDEX} LIMIT {limit:d}'
    )
    return sql, [_list(using, names, "text")]


def _among(using: str, type: str) -> str:
    return f"= ANY(%s::{type}[])" if connections[using].vendor == "postgresql" else "IN (SELECT value FROM json_each(%s))"


def _list(using: str, items: Collection[Any], type: str) -> str:
    return _array(items, type) if connections[using].vendor == "postgresql" else wire.dump(list(items))


def _pairs(pairs: Sequence[tuple[Any, int]], type: str, using: str) -> Statement:
    """A table `given(a, b)` of these pairs; `type` is that of a."""
    if connections[using].vendor == "postgresql":
        ones, others = zip(*pairs, strict=True)
        return f"unnest(%s::{type}[], %s::bigint[]) AS given(a, b)", [_array(ones, type), _array(others, "bigint")]
    values = ", ".join(["(%s, %s)"] * len(pairs))
    return f"(SELECT column1 AS a, column2 AS b FROM (VALUES {values})) AS given", [part for pair in pairs for part in pair]


def _at(using: str, of: str = "") -> str:
    """When an event was published, for `_seconds`: Postgres says it in unix seconds, which spares a datetime in Python for each."""
    return f"extract(epoch FROM {of}created_at)::float8" if connections[using].vendor == "postgresql" else f"{of}created_at"


def _seconds(moment: float | datetime | str) -> float:
    """A moment in unix seconds: SQLite's is text or a datetime, in UTC without saying so."""
    if isinstance(moment, float):
        return moment
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _insert_ranked(rows: Sequence[NewRow], ranks: Sequence[int], counts: Mapping[str, int]) -> Statement:
    """Postgres: rows with their places on their channels; the channels that can be locked move their heads, and their rows are numbered.

    A channel's row that another transaction moved meanwhile is locked and moved as it is now; what waits is judged as of the beginning:
    whatever committed later is no earlier than we are.
    """
    # What is the same in all rows is said once, the others as arrays: `unnest` costs more than the row with every column.
    columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    same = {name: column[0] for name, column in columns.items() if column.count(column[0]) == len(rows)}
    given = {name: _array(column, _COLUMNS[name]) for name, column in columns.items() if name not in same}
    values = ", ".join(f"%s::{type}" if name in same else f'given."{name}"' for name, type in _COLUMNS.items())
    channel = "%s" if "channel" in same else "given.channel"
    sql = (
        "WITH free AS (SELECT known.name, given.count FROM unnest(%s::text[], %s::bigint[]) AS given(name, count) "
        f"JOIN {_CHANNEL} AS known ON known.name = given.name "
        f'WHERE NOT EXISTS (SELECT FROM {_EVENT} AS event WHERE event.channel = known.name AND event."offset" IS NULL) '
        "FOR NO KEY UPDATE OF known SKIP LOCKED), "
        f"moved AS (UPDATE {_CHANNEL} AS known SET head = known.head + free.count, numbered_at = statement_timestamp() FROM free "
        "WHERE known.name = free.name RETURNING known.name, known.head - free.count AS start) "
        f'INSERT INTO {_EVENT} ({_named(_COLUMNS)}, "offset") SELECT {values}, moved.start + given.rank '
        f"FROM unnest({''.join(f'%s::{_COLUMNS[name]}[], ' for name in given)}%s::bigint[]) WITH ORDINALITY "
        f"AS given({_named([*given, 'rank', 'place'])}) LEFT JOIN moved ON moved.name = {channel} "
        'ORDER BY given.place RETURNING id, "offset"'
    )
    told = [same["channel"]] if "channel" in same else []
    parameters = [
        _array(counts, "text"),
        _array(counts.values(), "bigint"),
        *same.values(),
        *given.values(),
        _array(ranks, "bigint"),
        *told,
    ]
    return sql, parameters


def _insert_in_turn(rows: Sequence[NewRow], ranks: Sequence[int], counts: Mapping[str, int], using: str) -> list[list[tuple[Any, ...]]]:
    """SQLite: the same in three statements, of which the first writes: one that only read could not become a writer later."""
    names = _named(_COLUMNS)
    move = (
        f"UPDATE {_CHANNEL} SET head = head + given.value, numbered_at = {_SQLITE_NOW} FROM json_each(%s) AS given "
        f'WHERE name = given.key AND NOT EXISTS (SELECT 1 FROM {_EVENT} WHERE channel = name AND "offset" IS NULL) '
        "RETURNING name, head"
    )
    (moved,) = _together(using, [(move, [wire.dump(counts)])])
    starts = {name: head - counts[name] for name, head in moved}
    given = [(*row, starts[row.channel] + rank if row.channel in starts else None) for row, rank in zip(rows, ranks, strict=True)]
    columns = ", ".join(f"json_extract(given.value, '$[{place}]')" for place in range(len(_COLUMNS) + 1))
    insert = (
        f'INSERT INTO {_EVENT} ({names}, "offset") SELECT {columns} FROM json_each(%s) AS given ORDER BY given.key RETURNING id, "offset"'
    )
    life = f"SELECT (SELECT value FROM {_EPOCH} ORDER BY id LIMIT 1), {_SQLITE_NOW}"
    return _together(using, [(insert, [wire.dump(given)]), (life, ())])


def _named(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _array(items: Iterable[Any], type: str) -> str:
    """A Postgres array of text (without NUL) or bigint as it is written: psycopg would go through a list item by item in Python."""
    if type == "text":
        return '{"' + "\0".join(items).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","') + '"}' if items else "{}"
    return "{" + ",".join(["NULL" if item is None else str(item) for item in items]) + "}"


def _left(row: Sequence[Any]) -> Waiting:
    pk, channel, type, slot, key, major, minor, data, at = row
    return Waiting(pk, channel, type, slot, key, major, minor, data, _seconds(at))


def _together(using: str, statements: Sequence[Statement], *, begins: bool = False, commits: bool = False) -> list[list[tuple[Any, ...]]]:
    """The rows of each statement. On Postgres one round trip: each statement still sees what had committed when it began.

    `begins` and `commits`: they are the first or the last of an atomic() block. Where it is the outermost, Postgres' BEGIN and COMMIT
    travel with them.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql" or connection.settings_dict["OPTIONS"].get("server_side_binding"):
            found = []
            for sql, parameters in statements:
                cursor.execute(sql, parameters)
                found.append(cursor.fetchall() if cursor.description else [])
            return found
        begins, commits = begins and _begin_ourselves(connection), commits and _is_outermost(connection)
        batch = [*([_BEGIN] if begins else []), *statements, *([_COMMIT] if commits else [])]
        cursor.execute("; ".join(sql for sql, _ in batch), [given for _, parameters in batch for given in parameters])
        found = [cursor.fetchall() if cursor.description else []]
        while cursor.nextset():
            found.append(cursor.fetchall() if cursor.description else [])
        return found[begins : len(found) - commits]


_BEGIN: Statement = ("BEGIN", ())
_COMMIT: Statement = ("COMMIT", ())


def _begin_ourselves(connection: Any) -> bool:
    """Have psycopg leave BEGIN to us, if nothing has been said in this transaction and it would say no more than that.

    It goes back to its own ways when Django switches autocommit on again, at the end of the atomic() block.
    """
    raw = connection.connection
    idle = raw.pgconn.transaction_status == 0  # pq.TransactionStatus.IDLE, which an installation without psycopg cannot import
    if not (idle and _is_outermost(connection)) or raw.isolation_level or raw.read_only or raw.deferrable:
        return False
    raw.autocommit = True
    return True


def _is_outermost(connection: Any) -> bool:
    return bool(connection.in_atomic_block) and not connection.savepoint_ids
