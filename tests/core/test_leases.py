"""A lease: one has it, the next takes over when it lapses or is given up."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from core import leases
from core.models import Lease

pytestmark = pytest.mark.django_db


def test_one_has_it_and_keeps_it_and_another_takes_over_when_it_lapses() -> None:
    assert leases.take("beat", holder="a", seconds=15)
    assert leases.take("beat", holder="a", seconds=15)
    assert not leases.take("beat", holder="b", seconds=15)
    assert leases.take("other", holder="b", seconds=15)
    Lease.objects.filter(name="beat").update(expires_at=Now() - timedelta(seconds=1))
    assert leases.take("beat", holder="b", seconds=15)
    assert not leases.take("beat", holder="a", seconds=15)
    assert leases.holder_of("beat") == "b"


def test_what_is_given_up_is_free_at_once_and_only_for_its_holder_to_give() -> None:
    leases.take("beat", holder="a", seconds=15)
    leases.give_up("beat", holder="b")
    assert leases.holder_of("beat") == "a"
    leases.give_up("beat", holder="a")
    assert leases.holder_of("beat") == ""
    assert leases.take("beat", holder="b", seconds=15)
