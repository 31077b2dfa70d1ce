"""The epoch: the random id of this database's life. A new one makes every client start again from what the database says now."""

import logging

from django.db import transaction

from core.models import Epoch, new_epoch

logger = logging.getLogger(__name__)


def rotate(*, reason: str, instead_of: str | None = None) -> str:
    """Draw a new epoch and return it. With `instead_of`, only while that one is still in force: of many hubs the first one does it."""
    with transaction.atomic():
        Epoch.objects.get_or_create(pk=1)
        row = Epoch.objects.select_for_update().get(pk=1)
        if instead_of is not None and row.value != instead_of:
            return row.value
        row.value = new_epoch()
        row.save(update_fields=["value"])
    logger.warning("new epoch %s: %s; every client starts again from a snapshot", row.value, reason)
    return row.value
