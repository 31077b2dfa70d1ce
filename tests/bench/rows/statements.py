"""How many statements Postgres has been asked so far, by its own count of transactions (ours on the live path are one statement each)."""

import psycopg

from tests.bench.lab import Lab


def count(lab: Lab) -> int:
    address = lab.site().environment["DATABASE_URL"]
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        found = connection.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert found is not None
    return int(found[0])
