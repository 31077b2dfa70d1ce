"""Which slugs, roles and settings there can be."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from dashboard.actions import save_dashboard, save_widget
from dashboard.models import Dashboard, Role, Widget

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "slug",
    ["new", "echo", "edit", "share", "board", "ticket", "42", "", "Ops", "a b", "-a", "a-", "ä", "a/b", "x" * 65, "ops\n", "\u0661\u0662"],
)
def test_a_board_s_slug_can_stand_in_an_address(slug: str) -> None:
    with pytest.raises(ValidationError):
        save_dashboard(Dashboard(slug=slug, title="T"))
    assert not Dashboard.objects.exists()


def test_the_database_itself_refuses_reserved_slugs() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Dashboard.objects.create(slug="board", title="T")


def test_two_boards_have_two_slugs(board: Dashboard) -> None:
    with pytest.raises(ValidationError):
        save_dashboard(Dashboard(slug="ops", title="Again"))


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("hologram", {}),
        ("stat", {"colour": 1}),
        ("stat", {"color": 7}),
        ("stat", {"color": True}),
        ("stat", {"better": "sideways"}),
        ("stat", {"unit": "x" * 21}),
        ("stat", []),
        ("timeseries", {"range": 1}),
        ("timeseries", {"thresholds": [{"value": "high"}]}),
        ("feed", {"entries": 99}),
    ],
)
def test_a_widget_s_settings_fit_its_kind(board: Dashboard, kind: str, config: Any) -> None:
    with pytest.raises(ValidationError):
        save_widget(Widget(dashboard=board, slug="w", kind=kind, title="W", config=config))
    assert not Widget.objects.exists()


def test_a_role_has_one_holder(board: Dashboard, bob: Any, ops: Any) -> None:
    for holder in ({}, {"user": bob, "group": ops}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Role.objects.create(dashboard=board, **holder)


def test_every_save_has_a_new_revision(stat: Widget, board: Dashboard) -> None:
    stale = Widget.objects.get(pk=stat.pk)
    assert [save_widget(stat).revision, save_widget(stale).revision] == [2, 3]
