"""Many inbox rows in one statement. The keys travel as one parameter: ten thousand placeholders cost more than the rows."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection

from notifications.models import InboxItem


def insert_items(notification: int, people: Sequence[Any], *, arrived_at: datetime) -> None:
    """Give each of these people (primary keys, in their order) a row of her own."""
    if not people:
        return
    key, quote = get_user_model()._meta.pk, connection.ops.quote_name
    given: Any
    if connection.vendor == "postgresql":
        source, given = f"unnest(%s::{key.rel_db_type(connection)}[]) AS given(person)", list(people)
    else:
        source, given = "(SELECT value AS person FROM json_each(%s)) AS given", json.dumps([_stored(key, one) for one in people])
    statement = (
        f"INSERT INTO {quote(InboxItem._meta.db_table)} (user_id, notification_id, arrived_at, version) "
        f"SELECT person, %s, %s, 1 FROM {source}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [notification, connection.ops.adapt_datetimefield_value(arrived_at), given])


def _stored(key: Any, person: Any) -> Any:
    return key.get_db_prep_value(person, connection)
