"""The channel of a board: who may read it, what its names mean, and that a value makes one message to its group."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from core.delivery.broker import broker
from core.delivery.channel import Event, Reader, registry
from dashboard.actions import NewValue, post_feed, record, record_many
from dashboard.models import Access, Dashboard, Role, Widget
from tests.dashboard.conftest import at

KIND = registry.kinds["dashboard"]


def reader(user: Any) -> Reader:
    return Reader(user=str(user.pk)) if user is not None else Reader(guest="guest-1234")


@pytest.mark.django_db
def test_the_owner_staff_and_members_read_strangers_and_guests_do_not(
    board: Dashboard, owner: Any, alice: Any, bob: Any, charlie: Any
) -> None:
    asked = {
        name: reader(user) for name, user in {"owner": owner, "staff": alice, "member": bob, "stranger": charlie, "guest": None}.items()
    }
    may = KIND.readable(asked.values(), [str(board.pk)])
    assert {name for name, one in asked.items() if (one, str(board.pk)) in may} == {"owner", "staff", "member"}


@pytest.mark.django_db
@pytest.mark.parametrize(("access", "who"), [(Access.ROLES, set()), (Access.MEMBERS, {"charlie"}), (Access.PUBLIC, {"charlie", "guest"})])
def test_a_board_may_be_open_to_more(board: Dashboard, charlie: Any, access: str, who: set[str]) -> None:
    Dashboard.objects.filter(pk=board.pk).update(access=access)
    asked = {"charlie": reader(charlie), "guest": reader(None)}
    may = KIND.readable(asked.values(), [str(board.pk)])
    assert {name for name, one in asked.items() if (one, str(board.pk)) in may} == who


@pytest.mark.django_db
def test_a_lost_role_and_a_deactivated_person_read_no_more(board: Dashboard, bob: Any, owner: Any) -> None:
    Role.objects.all().delete()
    owner.is_active = False
    owner.save()
    assert KIND.readable([reader(bob), reader(owner)], [str(board.pk)]) == set()


@pytest.mark.django_db
def test_a_group_s_role_lets_its_members_read(board: Dashboard, charlie: Any) -> None:
    group = Group.objects.create(name="night shift")
    Role.objects.create(dashboard=board, group=group)
    assert not KIND.readable([reader(charlie)], [str(board.pk)])
    charlie.groups.add(group)
    assert KIND.readable([reader(charlie)], [str(board.pk)])


@pytest.mark.django_db
def test_many_readers_and_boards_cost_four_queries(
    board: Dashboard, owner: Any, django_user_model: Any, django_assert_num_queries: Any
) -> None:
    people = django_user_model.objects.bulk_create([django_user_model(username=f"u{number}") for number in range(30)])
    boards = [Dashboard.objects.create(slug=f"b{number}", title="B", owner=owner) for number in range(10)]
    Role.objects.bulk_create([Role(dashboard=one, user=people[number]) for number, one in enumerate(boards)])
    readers = [reader(user) for user in [owner, *people]]
    with django_assert_num_queries(4):
        may = KIND.readable(readers, [str(one.pk) for one in boards])
    assert len(may) == 20


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "0", "-1", "1e3", "01", "\u0661", "abc", "1" * 30, "../1", "1\n"])
def test_what_is_no_key_is_readable_for_nobody(board: Dashboard, owner: Any, key: str) -> None:
    assert KIND.readable([reader(owner)], [key]) == set()


@pytest.mark.django_db
def test_a_slug_means_its_board_and_a_key_itself(board: Dashboard) -> None:
    assert KIND.resolve("ops") == str(board.pk)
    assert KIND.resolve("17") == "17"
    assert KIND.resolve("nothing") is None


@pytest.mark.django_db(transaction=True)
def test_one_call_makes_one_message_to_the_board_s_group(
    board: Dashboard, stat: Widget, chart: Widget, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(KIND.__class__, "pace", 0.0)
    record(stat, 1)
    monkeypatch.setattr(broker, "_put", lambda group, message: sent.append((group, message)))
    record(stat, 42)
    assert [(group, message["type"]) for group, message in sent] == [(f"dashboard.{board.pk}", "live.batch")]
    assert [event[1] for event in sent[0][1]["events"]] == ["widget.value"]
    sent.clear()
    record_many([NewValue(stat, 1), *(NewValue(chart, 1, series=name) for name in ("a", "b", "c"))])
    assert [group for group, _ in sent] == [f"dashboard.{board.pk}"]


@pytest.mark.django_db
def test_a_fragment_is_the_same_for_everybody_and_asks_nothing(
    stat: Widget, chart: Widget, feed: Widget, django_assert_num_queries: Any
) -> None:
    from core.delivery import wire
    from core.models import Event as Row

    for moment in (1, 2, 0):
        record(stat, 1e308 * (1 - moment), at(moment), now=at(9))
        record(chart, moment, at(moment), series="cpu", now=at(9))
        post_feed(feed, "text", at=at(moment), now=at(9))
    rows = list(Row.objects.filter(channel=f"dashboard:{stat.dashboard_id}").order_by("id"))
    with django_assert_num_queries(0):
        for row in rows:
            event = Event(row.pk, row.type, row.key, wire.load(row.data), 0.0)
            assert KIND.render(event, "7") == KIND.render(event, "7") != ""


@pytest.mark.django_db
def test_an_event_of_a_kind_that_is_gone_shows_nothing() -> None:
    event = Event(1, "widget.value", "3/", {"kind": "hologram", "line": 1}, 0.0)
    assert KIND.render(event, "7") == ""
