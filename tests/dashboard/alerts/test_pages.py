"""The pages of alerts: for the owner, an editor, a viewer, staff, a stranger and a guest."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from dashboard.actions import record_many, save_widget
from dashboard.alerts import actions
from dashboard.models import Access, AlertRule, Dashboard, Role, Widget
from tests.dashboard.alerts.conftest import Watch
from tests.dashboard.conftest import at
from tests.dashboard.page import Page

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
HERE = "/dashboards/ops/queue/alerts/"
PLAIN = {"name": "Too long", "condition": "above", "high": "90", "severity": "2", "enabled": "on"}


@pytest.fixture
def everybody(board: Dashboard, owner: Any, alice: Any, bob: Any, charlie: Any, django_user_model: Any) -> dict[str, Any]:
    editor = django_user_model.objects.create_user("edda")
    Role.objects.create(dashboard=board, user=editor, level=Role.Level.EDIT)
    return {"owner": owner, "staff": alice, "editor": editor, "viewer": bob, "stranger": charlie, "guest": None}


@pytest.fixture
def browser(owner: Any, signed_in: SignedIn) -> Client:
    return signed_in(owner)


def test_who_may_look_and_who_may_change(watch: Watch, everybody: dict[str, Any], signed_in: SignedIn) -> None:
    rule = watch.rule()
    look = {name: signed_in(user).get(HERE).status_code for name, user in everybody.items()}
    assert look == {"owner": 200, "staff": 200, "editor": 200, "viewer": 200, "stranger": 404, "guest": 404}
    for address in (f"{HERE}new/", f"{HERE}{rule.pk}/"):
        form = {name: signed_in(user).get(address).status_code for name, user in everybody.items()}
        assert form == {"owner": 200, "staff": 200, "editor": 200, "viewer": 404, "stranger": 404, "guest": 302}


@pytest.mark.parametrize("who", ["viewer", "stranger", "guest"])
def test_who_may_not_change_changes_nothing(watch: Watch, everybody: dict[str, Any], signed_in: SignedIn, who: str) -> None:
    rule = watch.rule()
    watch.sees(95)
    asked = signed_in(everybody[who])
    for address, sent in (("new/", PLAIN), ("", PLAIN), ("acknowledge/", {}), ("mute/", {"minutes": "60"}), ("remove/", {})):
        place = address if address == "new/" else f"{rule.pk}/{address}"
        assert asked.post(f"{HERE}{place}", sent).status_code == (302 if who == "guest" else 404)
    rule = AlertRule.objects.get()
    assert (rule.name, rule.acknowledged_at, rule.muted_until) == ("Queue too long", None, None)


def test_a_viewer_sees_how_it_stands_without_buttons(watch: Watch, bob: Any, signed_in: SignedIn) -> None:
    watch.rule()
    watch.sees(95)
    text = signed_in(bob).get(HERE).content.decode()
    assert "Queue too long" in text and "Above 90 jobs" in text and "now 95" in text
    assert "Acknowledge" not in text and "<button" not in text.split("<main")[1]


def test_the_page_says_what_came_too_late_to_change_anything(watch: Watch, bob: Any, signed_in: SignedIn) -> None:
    watch.rule()
    watch.sees((0, 50))
    assert "an hour after" not in signed_in(bob).get(HERE).content.decode()
    watch.sees((-9000, 95))
    text = " ".join(signed_in(bob).get(HERE).content.decode().split())
    assert 'Judged more than an hour after its time: 1 value above 90 jobs, the newest of <time datetime="2026-11-21T04:40:00.000Z"' in text
    watch.sees((-8000, 95))
    assert "Judged more than an hour after their time: 2 values above 90 jobs" in signed_in(bob).get(HERE).content.decode()


def test_a_public_board_shows_its_alerts_to_guests(watch: Watch, board: Dashboard) -> None:
    watch.rule()
    Dashboard.objects.update(access=Access.PUBLIC)
    assert Client().get(HERE).status_code == 200


def test_a_rule_is_made_fires_is_taken_muted_and_removed(watch: Watch, browser: Client) -> None:
    assert browser.post(f"{HERE}new/", PLAIN | {"pending_seconds": "5", "audience": "owner, roles"}).status_code == 302
    rule = AlertRule.objects.get()
    assert (rule.name, rule.high, rule.pending_seconds, rule.audience) == ("Too long", 90, 5, ["owner", "roles"])
    watch.sees(95).waits_until(10)
    assert "Acknowledge</button>" in browser.get(HERE).content.decode()
    assert browser.post(f"{HERE}{rule.pk}/acknowledge/").headers["Location"] == HERE
    assert "Acknowledged by olga" in browser.get(HERE).content.decode()
    browser.post(f"{HERE}{rule.pk}/mute/", {"minutes": "60"})
    assert AlertRule.objects.get().muted_until == at(10) + timedelta(hours=1)
    assert "Muted until" in browser.get(HERE).content.decode()
    browser.post(f"{HERE}{rule.pk}/mute/", {"minutes": "0"})
    assert AlertRule.objects.get().muted_until is None
    browser.post(f"{HERE}{rule.pk}/remove/")
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"name": ""}, "This field is required"),
        ({"high": ""}, "It takes a number here"),
        ({"high": "NaN"}, "Enter a number"),
        ({"high": "1e999"}, "Enter a number"),
        ({"high": "1,5"}, "Enter a number"),
        ({"condition": "below"}, "It takes a number here"),
        ({"condition": "outside", "low": "90"}, "The highest lies above the lowest"),
        ({"condition": "no_data"}, "Say how long"),
        ({"condition": "__class__"}, "not one of the available choices"),
        ({"pending_seconds": "-1"}, "greater than or equal to 0"),
        ({"pending_seconds": "9" * 30}, "less than or equal to"),
        ({"series": "nobody"}, "not one of the available choices"),
        ({"severity": "5"}, "not one of the available choices"),
        ({"audience": "all"}, "names nobody"),
        ({"audience": "user:nobody"}, "names nobody"),
        ({"audience": "group:x\x00"}, "Null characters"),
        ({"audience": ",".join(f"user:u{n}" for n in range(60))}, "At most 50"),
        ({"name": "x" * 121}, "at most 120"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_saved(watch: Watch, browser: Client, sent: dict[str, str], says: str) -> None:
    answer = browser.post(f"{HERE}new/", PLAIN | sent)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not AlertRule.objects.exists()


def test_stale_needs_a_widget_that_says_how_often_a_value_comes(watch: Watch, browser: Client) -> None:
    watch.widget.interval = None
    save_widget(watch.widget)
    assert "how often" in browser.post(f"{HERE}new/", PLAIN | {"condition": "stale"}).content.decode()


def test_words_are_not_above_or_below_anything(feed: Widget, watch: Watch, browser: Client) -> None:
    answer = browser.post("/dashboards/ops/events/alerts/new/", PLAIN)
    assert answer.status_code == 422
    assert browser.post("/dashboards/ops/events/alerts/new/", PLAIN | {"condition": "no_data", "pending_seconds": "60"}).status_code == 302


def test_critical_takes_a_permission(watch: Watch, everybody: dict[str, Any], signed_in: SignedIn) -> None:
    editor = everybody["editor"]
    assert signed_in(editor).post(f"{HERE}new/", PLAIN | {"severity": "4"}).status_code == 422
    editor.user_permissions.add(Permission.objects.get(codename="send_critical"))
    assert signed_in(editor).post(f"{HERE}new/", PLAIN | {"severity": "4"}).status_code == 302


def test_who_saves_second_is_told(watch: Watch, browser: Client) -> None:
    rule = watch.rule()
    before = Widget.objects.get().revision
    assert browser.post(f"{HERE}{rule.pk}/", PLAIN | {"revision": str(before), "name": "first"}).status_code == 302
    answer = browser.post(f"{HERE}{rule.pk}/", PLAIN | {"revision": str(before), "name": "second"})
    assert answer.status_code == 409 and "Somebody saved this meanwhile" in answer.content.decode()
    assert AlertRule.objects.get().name == "first"


@pytest.mark.parametrize("pk", [0, 999, 2**63, 10**40])
def test_a_rule_that_is_not_there_is_not_found(watch: Watch, browser: Client, pk: int) -> None:
    assert browser.get(f"{HERE}{pk}/").status_code == 404
    assert browser.post(f"{HERE}{pk}/acknowledge/").status_code == 404


def test_a_rule_of_another_widget_is_not_found_here(watch: Watch, chart: Widget, browser: Client) -> None:
    rule = watch.rule()
    assert browser.get(f"/dashboards/ops/load/alerts/{rule.pk}/").status_code == 404
    assert browser.post(f"{HERE}{rule.pk}/mute/", {"minutes": "1"}).status_code == 404


# --- on the board ---


def test_a_page_rendered_earlier_and_the_signs_since_are_a_page_rendered_now(watch: Watch, page: Callable[[str], Page]) -> None:
    rule = watch.rule(pending_seconds=5, recovery_seconds=5, name='<b>"x"</b>')
    watch.sees(50)
    opened = page("/dashboards/ops/")
    watch.events.clear()
    for step in (
        lambda: watch.waits_until(1).sees(95),
        lambda: watch.waits_until(7),
        lambda: actions.acknowledge(rule.pk, by=board_owner(watch), now=at(8)),
        lambda: watch.waits_until(9).sees(50),
        lambda: watch.waits_until(30),
    ):
        step()
        watch.settles()
        opened.apply(watch.events)
        watch.events.clear()
        assert opened.shown() == page("/dashboards/ops/").shown()
    assert opened.refetches == 0


def board_owner(watch: Watch) -> Any:
    return watch.board.owner


def test_what_the_sign_says_is_escaped(watch: Watch, browser: Client) -> None:
    watch.rule(name='"><img src=x onerror=alert(1)>')
    watch.sees(95)
    text = browser.get("/dashboards/ops/").content.decode()
    assert "<img" not in text and "&lt;img" in text
    assert "<img" not in browser.get(HERE).content.decode()


def test_the_signs_of_all_tiles_cost_one_query(watch: Watch, board: Dashboard, browser: Client, django_assert_max_num_queries: Any) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(60) as found:
            assert browser.get("/dashboards/ops/").status_code == 200
        return len(found)

    watch.rule()
    watch.sees(5)
    queries()
    before = queries()
    for number in range(6):
        widget = save_widget(Widget(dashboard=board, slug=f"more-{number}", kind="stat", title="More"))
        actions.save_rule(AlertRule(widget=widget, name="x", condition="above", high=1))
        record_many({f"ops/more-{number}": 5}, now=at(0))
    watch.settles()
    assert queries() == before
