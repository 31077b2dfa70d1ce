"""Making and changing boards by forms: for the owner, an editor, a viewer, staff, a stranger and a guest."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from core.models import Event
from dashboard import widgets
from dashboard.actions import record, save_widget
from dashboard.models import Dashboard, Role, Sample, ShareLink, Source, Widget

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
EDITORS = [
    "/dashboards/ops/edit/",
    "/dashboards/ops/edit/new/?kind=gauge",
    "/dashboards/ops/edit/queue/",
    "/dashboards/ops/edit/queue/remove/",
]
MANAGERS = ["/dashboards/ops/share/", "/dashboards/ops/edit/board/remove/"]
PLAIN = {"title": "Queue", "columns": "3", "rows": "2"}


@pytest.fixture
def editor(board: Dashboard, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("edda", password="edda-password")
    Role.objects.create(dashboard=board, user=user, level=Role.Level.EDIT)
    return user


@pytest.fixture
def everybody(owner: Any, alice: Any, bob: Any, charlie: Any, editor: Any) -> dict[str, Any]:
    return {"owner": owner, "staff": alice, "editor": editor, "viewer": bob, "stranger": charlie, "guest": None}


@pytest.fixture
def browser(owner: Any, signed_in: SignedIn) -> Client:
    return signed_in(owner)


@pytest.mark.parametrize("address", EDITORS + MANAGERS)
def test_who_may_change_what(stat: Widget, everybody: dict[str, Any], signed_in: SignedIn, address: str) -> None:
    seen = {name: signed_in(user).get(address).status_code for name, user in everybody.items()}
    editor = 200 if address in EDITORS else 404
    assert seen == {"owner": 200, "staff": 200, "editor": editor, "viewer": 404, "stranger": 404, "guest": 302}


@pytest.mark.parametrize("held_by", ["herself", "her group"])
def test_a_manager_by_her_own_role_or_by_her_group_s_may_do_what_the_owner_may(
    board: Dashboard, stat: Widget, charlie: Any, bob: Any, signed_in: SignedIn, held_by: str
) -> None:
    asked = signed_in(charlie)
    assert {asked.get(address).status_code for address in EDITORS + MANAGERS} == {404}
    if held_by == "herself":
        role = Role.objects.create(dashboard=board, user=charlie, level=Role.Level.MANAGE)
    else:
        group = Group.objects.create(name="leads")
        charlie.groups.add(group)
        role = Role.objects.create(dashboard=board, group=group, level=Role.Level.MANAGE)
        # A lower one of her own takes nothing from it.
        Role.objects.create(dashboard=board, user=charlie, level=Role.Level.VIEW)
    assert {asked.get(address).status_code for address in EDITORS + MANAGERS} == {200}
    sent = {"title": "Hers", "slug": "ops", "access": "members", "revision": str(board.revision)}
    assert asked.post("/dashboards/ops/edit/", sent).status_code == 302
    board.refresh_from_db()
    assert (board.title, board.access) == ("Hers", "members")
    assert asked.post("/dashboards/ops/share/", {"do": "role", "who": "bob", "level": "2"}).status_code == 302
    assert Role.objects.get(user=bob).level == Role.Level.EDIT
    assert asked.post("/dashboards/ops/share/", {"do": "link", "expires": "1"}).status_code == 200
    assert ShareLink.objects.count() == 1
    role.delete()
    assert asked.post("/dashboards/ops/share/", {"do": "link", "expires": "1"}).status_code == 404
    assert asked.post("/dashboards/ops/edit/board/remove/").status_code == 404
    assert ShareLink.objects.count() == 1


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_who_may_not_change_changes_nothing(stat: Widget, everybody: dict[str, Any], signed_in: SignedIn, who: str) -> None:
    asked = signed_in(everybody[who])
    for address in (
        "edit/",
        "edit/board/order/",
        "edit/queue/",
        "edit/queue/preview/",
        "edit/queue/remove/",
        "edit/board/remove/",
        "share/",
    ):
        assert asked.post(f"/dashboards/ops/{address}", PLAIN | {"do": "link"}).status_code == 404
    assert (Widget.objects.count(), ShareLink.objects.count(), Dashboard.objects.get().title) == (1, 0, "Ops")


def test_anybody_signed_in_makes_a_board_and_owns_it(charlie: Any, signed_in: SignedIn) -> None:
    mine = signed_in(charlie)
    answer = mine.post("/dashboards/new/", {"title": "Night shift", "access": "roles"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboards/night-shift/edit/")
    assert Dashboard.objects.get(slug="night-shift").owner == charlie
    assert mine.get("/dashboards/night-shift/edit/").status_code == 200
    for title, slug in (("Night shift", ""), ("x", "new"), ("x", "12"), ("!!!", ""), ("", "x"), ("x", "Ünder")):
        assert mine.post("/dashboards/new/", {"title": title, "slug": slug, "access": "roles"}).status_code == 422


def test_two_people_saving_one_board_do_not_overwrite_each_other(
    board: Dashboard, browser: Client, alice: Any, signed_in: SignedIn
) -> None:
    sent = {"title": "Mine", "slug": "ops", "access": "roles", "revision": str(board.revision)}
    assert browser.post("/dashboards/ops/edit/", sent).status_code == 302
    late = signed_in(alice).post("/dashboards/ops/edit/", sent | {"title": "Hers"})
    assert late.status_code == 409
    assert "Somebody saved this meanwhile" in late.content.decode()
    assert Dashboard.objects.get().title == "Mine"


def test_an_editor_changes_the_title_but_not_who_may_look(board: Dashboard, editor: Any, signed_in: SignedIn) -> None:
    assert signed_in(editor).post("/dashboards/ops/edit/", {"title": "New", "slug": "ops", "access": "public"}).status_code == 302
    assert (Dashboard.objects.get().title, Dashboard.objects.get().access) == ("New", "roles")


@pytest.mark.parametrize("kind", sorted(widgets.KINDS))
def test_each_kind_of_widget_is_made_and_changed_by_its_form(board: Dashboard, browser: Client, kind: str) -> None:
    form = browser.get(f"/dashboards/ops/edit/new/?kind={kind}").context["form"]
    sent = {name: value for name in form.fields if (value := form[name].value()) not in (None, False)}
    answer = browser.post(f"/dashboards/ops/edit/new/?kind={kind}", sent | {"title": "A new one"})
    assert answer.status_code == 302, answer.context and answer.context["form"].errors
    made = Widget.objects.get()
    assert (made.slug, made.kind, made.config) == ("a-new-one", kind, {}), "what is as it usually is, is not stored"
    again = browser.get("/dashboards/ops/edit/a-new-one/")
    assert again.status_code == 200
    preview = browser.post(f"/dashboards/ops/edit/new/preview/?kind={kind}", sent | {"title": "Shown <so>"})
    assert f'data-kind="{kind}"' in preview.content.decode()
    assert "Shown &lt;so&gt;" in preview.content.decode()


def test_own_settings_are_kept_as_what_they_are_and_wrong_ones_said(board: Dashboard, browser: Client) -> None:
    address = "/dashboards/ops/edit/new/?kind=timeseries"
    sent = {
        "title": "Load",
        "columns": "8",
        "rows": "3",
        "own_stacked": "on",
        "own_min": "0",
        "own_labels": '{"a": "A"}',
        "own_range": "3600",
    }
    assert browser.post(address, sent).status_code == 302
    assert Widget.objects.get().config == {"stacked": True, "min": 0.0, "labels": {"a": "A"}, "range": 3600}
    for wrong in ({"own_labels": "{"}, {"own_labels": "[1]"}, {"own_range": "5"}, {"own_min": "NaN"}, {"columns": "13"}, {"slug": "load"}):
        answer = browser.post(address, sent | {"title": "Other"} | wrong)
        assert answer.status_code == 422, wrong
    assert Widget.objects.count() == 1


def test_the_preview_shows_what_is_there_as_the_form_has_it_and_saves_nothing(stat: Widget, browser: Client) -> None:
    record(stat, 42)
    before = Event.objects.count()
    text = browser.post("/dashboards/ops/edit/queue/preview/", PLAIN | {"title": "Waiting", "own_unit": "boats"}).content.decode()
    assert "Waiting" in text
    assert "42<small>boats</small>" in text
    bad = browser.post("/dashboards/ops/edit/queue/preview/", PLAIN | {"columns": "99"})
    assert "nothing to show yet" in bad.content.decode()
    stat.refresh_from_db()
    assert (stat.title, Event.objects.count()) == ("Queue", before)


@pytest.mark.parametrize("kind", ["stat", "timeseries", "feed"])
def test_made_up_values_are_of_just_now_and_do_not_get_late(board: Dashboard, browser: Client, kind: str) -> None:
    before = timezone.now()
    sent = {"title": "Depth", "columns": "4", "rows": "3", "interval": "1"}
    text = browser.post(f"/dashboards/ops/edit/new/preview/?kind={kind}", sent).content.decode()
    (newest,) = re.findall(r'<i hidden id="w-[^"]*-s0" data-at="([^"]+)" data-state="live"', text)
    assert before - timedelta(seconds=1) <= datetime.fromisoformat(newest) <= timezone.now()
    assert 'data-interval="0"' in text


def test_a_stat_may_say_what_it_waits_for_instead_of_the_line_that_sends(stat: Widget, browser: Client) -> None:
    stat.config = {"waiting": "After the <first> deploy."}
    save_widget(stat)
    text = browser.get("/dashboards/ops/").content.decode()
    assert "After the &lt;first&gt; deploy." in text
    assert "curl" not in text
    record(stat, 42)
    assert "After the" not in browser.get("/dashboards/ops/").content.decode()


def test_a_widget_gets_a_source_and_loses_it(stat: Widget, browser: Client) -> None:
    source = {"source": "model", "from_model": "auth.User", "from_where": '{"is_active": true}'}
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN | source).status_code == 302
    saved = Source.objects.get()
    assert (saved.subject, saved.config) == ("auth.user", {"model": "auth.User", "where": {"is_active": True}})
    assert 'value="auth.User" selected' in browser.get("/dashboards/ops/edit/queue/").content.decode()
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN).status_code == 302
    assert not Source.objects.exists()


def test_how_long_values_are_kept_is_said_in_the_form(stat: Widget, browser: Client) -> None:
    assert browser.get("/dashboards/ops/edit/queue/").context["form"]["keep"].value() == 48
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN | {"keep": "500"}).status_code == 302
    stat.refresh_from_db()
    assert stat.keep == 500
    assert browser.get("/dashboards/ops/edit/queue/").context["form"]["keep"].value() == 500
    for wrong in ("0", "10001", "x", "-1"):
        assert browser.post("/dashboards/ops/edit/queue/", PLAIN | {"keep": wrong}).status_code == 422, wrong
    stat.refresh_from_db()
    assert stat.keep == 500


def test_two_people_saving_one_widget(stat: Widget, browser: Client) -> None:
    old = str(stat.revision)
    save_widget(stat)
    assert browser.post("/dashboards/ops/edit/queue/", PLAIN | {"revision": old, "title": "Lost"}).status_code == 409
    assert Widget.objects.get().title == "Queue"


def test_order_and_size_by_fields_and_by_buttons(board: Dashboard, stat: Widget, feed: Widget, gauge: Widget, browser: Client) -> None:
    address = "/dashboards/ops/edit/board/order/"
    first = {f"order-{stat.pk}": "0", f"order-{feed.pk}": "1", f"order-{gauge.pk}": "2"}
    assert browser.post(address, first | {f"columns-{stat.pk}": "12"}).status_code == 302
    assert list(Widget.objects.values_list("slug", "columns")[:1]) == [("queue", 12)]
    browser.post(address, first | {"move": f"{gauge.pk}:up"})
    browser.post(address, {"move": f"{stat.pk}:up"})
    assert list(Widget.objects.values_list("slug", flat=True)) == ["queue", "disk", "events"]
    for wrong in ({f"columns-{stat.pk}": "13"}, {f"rows-{stat.pk}": "x"}, {f"rows-{stat.pk}": ""}):
        assert browser.post(address, first | wrong).status_code == 422
    assert browser.post(address, first | {"revision": "1"}).status_code == 409
    assert list(Widget.objects.values_list("slug", flat=True)) == ["queue", "disk", "events"]


def test_removing_asks_first(stat: Widget, browser: Client) -> None:
    record(stat, 1)
    assert "goes from every screen" in browser.get("/dashboards/ops/edit/queue/remove/").content.decode()
    assert Widget.objects.count() == 1
    browser.post("/dashboards/ops/edit/queue/remove/")
    assert (Widget.objects.count(), Sample.objects.count()) == (0, 0)
    browser.post("/dashboards/ops/edit/board/remove/")
    assert not Dashboard.objects.exists()


def test_roles_are_given_to_people_and_groups_and_taken(board: Dashboard, browser: Client, charlie: Any, signed_in: SignedIn) -> None:
    group = Group.objects.create(name="night shift")
    address = "/dashboards/ops/share/"
    assert browser.post(address, {"do": "role", "who": "charlie", "level": "2"}).status_code == 302
    assert browser.post(address, {"do": "role", "who": "night shift", "level": "1"}).status_code == 302
    assert signed_in(charlie).get("/dashboards/ops/edit/").status_code == 200
    browser.post(address, {"do": "role", "who": "charlie", "level": "1"})
    assert Role.objects.get(user=charlie).level == 1
    for who in ("nobody", "", "group:charlie"):
        assert browser.post(address, {"do": "role", "who": who, "level": "1"}).status_code == 422
    Group.objects.create(name="charlie")
    assert "write which" in browser.post(address, {"do": "role", "who": "charlie", "level": "1"}).content.decode()
    assert browser.post(address, {"do": "unrole", "pk": str(Role.objects.get(group=group).pk)}).status_code == 302
    assert browser.post(address, {"do": "unrole", "pk": "x"}).status_code == 404
    assert not Role.objects.filter(group=group).exists()


def test_an_address_is_shown_once_and_revoked(board: Dashboard, browser: Client) -> None:
    text = browser.post("/dashboards/ops/share/", {"do": "link", "expires": "1"}).context["made"]
    path = text[text.index("/d/") :]
    assert Client().get(path).status_code == 200
    assert text not in browser.get("/dashboards/ops/share/").content.decode()
    assert ShareLink.objects.get().expires_at
    browser.post("/dashboards/ops/share/", {"do": "revoke", "pk": str(ShareLink.objects.get().pk)})
    assert Client().get(path).status_code == 404


def test_the_board_offers_editing_only_to_those_who_may(stat: Widget, everybody: dict[str, Any], signed_in: SignedIn) -> None:
    offered = {
        name: "/dashboards/ops/edit/" in signed_in(everybody[name]).get("/dashboards/ops/").content.decode()
        for name in ("editor", "viewer")
    }
    assert offered == {"editor": True, "viewer": False}


def test_settings_are_named_and_explained_as_their_kind_says(board: Dashboard, owner: Any, signed_in: Callable[[Any], Client]) -> None:
    browser = signed_in(owner)
    chart = browser.get("/dashboards/ops/edit/new/", {"kind": "timeseries"}).context["form"]
    assert (chart.fields["own_thresholds"].label, chart.fields["own_labels"].label) == ("Limits", "Names of lines")
    text = browser.get("/dashboards/ops/edit/new/", {"kind": "timeseries"}).content.decode()
    assert "as in [{&quot;value&quot;: 80, &quot;level&quot;: &quot;warn&quot;}]" in text
    gauge = browser.get("/dashboards/ops/edit/new/", {"kind": "gauge"}).context["form"]
    assert [gauge.fields[f"own_{name}"].label for name in ("unit", "warn", "bad")] == ["Unit", "Warning from", "Critical from"]
