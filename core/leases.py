"""Leases in the database: of many who want to do one thing, one does it, and another takes over when it is no longer heard of.

if leases.take("beat", holder="host-4711", seconds=15):
    ...

Time is the database's, so clocks that differ do not matter.
"""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from core.models import Lease


def take(name: str, *, holder: str, seconds: float) -> bool:
    """Take a lease or keep it for so many seconds more. False while somebody else has it."""
    until = Now() + timedelta(seconds=seconds)
    # Claimed by counting: of two who find it lapsed, the second finds it taken.
    if Lease.objects.filter(Q(holder=holder) | Q(expires_at__lt=Now()), name=name).update(holder=holder, expires_at=until):
        return True
    if Lease.objects.filter(name=name).exists():
        return False
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, holder=holder, expires_at=until)
    except IntegrityError:
        return False
    return True


def give_up(name: str, *, holder: str) -> None:
    """Let the next one have it at once, as one ends."""
    Lease.objects.filter(name=name, holder=holder).update(expires_at=Now() - timedelta(seconds=1))


def holder_of(name: str) -> str:
    """Who has it now; nobody: empty."""
    return Lease.objects.filter(name=name, expires_at__gt=Now()).values_list("holder", flat=True).first() or ""
