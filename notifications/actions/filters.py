"""Filters of the inbox that a person keeps under a name, as tabs of her own. Her open pages are told."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.delivery.publishing import publish
from notifications import inbox, texts
from notifications.errors import BadNotification
from notifications.models import SavedFilter

MOST = 10
NAME = 40
_TAKEN = "You have a filter of that name."


def save_filter(user: Any, name: str, *, tab: str, q: str) -> SavedFilter:
    """Keep a tab and filter under a name. Raises BadNotification: a bad name, one that is taken, nothing to keep, or too many."""
    name, query = texts.line(name, field="name", limit=NAME), inbox.read_query(tab, q)
    q = " ".join(q.replace("\0", "")[: inbox.MAX_QUERY].split())
    if not q:
        raise BadNotification("Type a filter first: is:unread, category:backup, or words.", field="q")
    try:
        with transaction.atomic():
            # Her own rows are locked: two saves at once are counted one after the other.
            if len(SavedFilter.objects.select_for_update().filter(user=user).values_list("pk", flat=True)) >= MOST:
                raise BadNotification(f"You have {MOST} filters; delete one first.", field="name")
            made = SavedFilter.objects.create(
                user=user, name=name, tab=query.tab, q=texts.lines(q, field="q", limit=inbox.MAX_QUERY), created_at=timezone.now()
            )
            _tell(user)
    except IntegrityError:
        raise BadNotification(_TAKEN, field="name") from None
    return made


def rename_filter(user: Any, pk: int, name: str) -> bool:
    """Give one of hers another name. False: it is not there. Raises BadNotification."""
    name = texts.line(name, field="name", limit=NAME)
    try:
        with transaction.atomic():
            if SavedFilter.objects.filter(user=user, pk=pk).update(name=name) != 1:
                return False
            _tell(user)
    except IntegrityError:
        raise BadNotification(_TAKEN, field="name") from None
    return True


def delete_filter(user: Any, pk: int) -> bool:
    """Forget one of hers. False: it is not there."""
    with transaction.atomic():
        if not SavedFilter.objects.filter(user=user, pk=pk).delete()[0]:
            return False
        _tell(user)
    return True


def _tell(user: Any) -> None:
    publish(f"user:{user.pk}", "notification.state", {"what": "filters"})
