"""What only Postgres does: writers of one series whose transactions overlap, and many values as arrays."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.postgres
def test_pages_end_right_when_writers_could_not_see_each_other(new_site: Callable[..., Any]) -> None:
    site = new_site(database="postgres")
    done = site.manage("shell", "--no-imports", "-c", "from tests.dashboard.overlap import main; main()")
    assert done.stdout.splitlines()[-1] == "followed"


@pytest.mark.postgres
def test_many_values_in_one_call_are_stored_as_one_by_one(new_site: Callable[..., Any]) -> None:
    site = new_site(database="postgres")
    done = site.manage("shell", "--no-imports", "-c", "from tests.dashboard.many import main; main()")
    assert done.stdout.splitlines()[-1] == "stored"
