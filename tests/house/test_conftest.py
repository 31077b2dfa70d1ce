"""The fixtures themselves."""

from collections.abc import Callable

import pytest

from tests.support.servers import Site


def test_the_people_have_the_rights_that_tests_count_on(alice, bob, charlie):
    assert alice.is_staff and alice.has_perm("signalbox.view_event")
    assert [group.name for group in bob.groups.all()] == ["ops"]
    assert not charlie.is_staff and not charlie.groups.exists()


@pytest.mark.postgres
def test_a_site_on_postgres_has_its_tables(new_site: Callable[..., Site]):
    site = new_site(database="postgres")
    assert "[X]" in site.manage("showmigrations", "signalbox").stdout
