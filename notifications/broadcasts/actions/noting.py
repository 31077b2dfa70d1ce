"""The audit trail: who did what with a broadcast, in the admin's own history of its row."""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType


def note(made: Any, what: str, *, by: Any, flag: int = CHANGE) -> None:
    """Note it in the transaction that does it. By None, as this site's own code: nothing, for the history names a person in every line."""
    if by is None:
        return
    about = {"content_type": ContentType.objects.get_for_model(made), "object_id": str(made.pk), "object_repr": str(made)[:200]}
    LogEntry.objects.create(user=by, action_flag=flag, change_message=what, **about)
