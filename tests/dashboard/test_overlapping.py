"""Writers of one series whose transactions overlap, which only Postgres lets happen."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.postgres
def test_pages_end_right_when_writers_could_not_see_each_other(new_site: Callable[..., Any]) -> None:
    site = new_site(database="postgres")
    done = site.manage("shell", "--no-imports", "-c", "from tests.dashboard.overlap import main; main()")
    assert done.stdout.splitlines()[-1] == "followed"
