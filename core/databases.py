"""Whether the database can be used, found out quickly and said in one sentence."""

from django.core.management import CommandError
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

PATIENCE = 5  # seconds
OURS = {"pool", "isolation_level", "server_side_binding", "assume_role"}  # options that Django reads, and not Postgres


def unapplied_migrations() -> int:
    """How many migrations the database still waits for. Raises CommandError when it cannot be asked."""
    try:
        if connection.vendor == "postgresql":
            _reach_postgres()
        executor = MigrationExecutor(connection)
        return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        raise unusable(error) from error


def close() -> None:
    """Close what the calling thread holds open: a launcher lives for days and asks the database nothing more."""
    connections.close_all()


def unusable(error: Exception) -> CommandError:
    return CommandError(f"The database cannot be used: {' '.join(str(error).split())}")


def _reach_postgres() -> None:
    """Connect once, past the pool: it would try for ten seconds, a warning each time, and not say why it failed."""
    import psycopg

    wanted = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    given = {name: wanted[key] for name, key in names.items() if wanted.get(key)}
    given |= {name: value for name, value in wanted["OPTIONS"].items() if name not in OURS}
    try:
        psycopg.connect(**{"connect_timeout": PATIENCE, **given}).close()
    except psycopg.Error as error:
        raise unusable(error) from error
