"""How far a background task is (core.progress) as one item in each inbox, which changes quietly and ends with a toast."""

import logging
import time
import unicodedata

from django.db import transaction

from core.progress import Report
from notifications import texts
from notifications.actions import notify
from notifications.errors import BadNotification
from notifications.models import Priority

logger = logging.getLogger(__name__)

CATEGORY = "progress"
EVERY = 2.0  # seconds between two changes of one item: people do not read faster
_PRIORITIES = {"running": Priority.LOW, "done": Priority.NORMAL, "failed": Priority.HIGH}
_ENDS = {"done": "is done", "failed": "failed"}
_shown_at: dict[str, float] = {}


def show(report: Report) -> None:
    """Write a report into the inboxes of whom it names. What cannot be sent is logged: no task fails for that."""
    if not report.audience or not _is_time(report):
        return
    try:
        with transaction.atomic():
            notify(
                list(report.audience),
                title=_title(report),
                body=report.label,
                url=report.url,
                category=CATEGORY,
                priority=_PRIORITIES[report.state],
                key=report.key,
            )
    except BadNotification as error:
        logger.warning("The progress of %s cannot be told: %s", report.key, error)


def _title(report: Report) -> str:
    end = f" {_ENDS[report.state]}" if report.state in _ENDS else f": {int(report.part * 100)} %"
    # Normalised before it is cut, for some letters become two; and cut as far in every state, so that it stays the same title.
    return texts.excerpt(unicodedata.normalize("NFC", report.title), limit=texts.TITLE - len(" is done")) + end


def _is_time(report: Report) -> bool:
    now = time.monotonic()
    if not report.news and now - _shown_at.get(report.key, -EVERY) < EVERY:
        return False
    _shown_at[report.key] = now
    if report.state != "running":
        del _shown_at[report.key]
    return True
