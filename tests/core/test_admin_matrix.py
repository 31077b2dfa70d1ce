"""The admin's pages of models: every registered model, every page and action that Django makes for it, as everybody, and with bad input.

Taken from the registry, so that none is forgotten: a model or an action that the table does not know fails.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.support.world import World, make_world

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Doors:
    """What a superuser may do besides looking; what the permission of looking lets do besides; which permission each action takes."""

    superuser: str = ""
    viewer: str = ""
    key: str = ""  # the permission of looking, where it is not Django's own
    actions: dict[str, str] = field(default_factory=dict)


ALL = "add change delete"
OF_TASKS = dict.fromkeys(("enable_tasks", "disable_tasks", "toggle_tasks", "run_tasks"), "change")
SENDING = "signalbox_notifications.send_broadcast"
MODELS = {
    "auth.Group": Doors(ALL),
    "auth.User": Doors(ALL),
    "django_celery_beat.ClockedSchedule": Doors(ALL),
    "django_celery_beat.CrontabSchedule": Doors(ALL),
    "django_celery_beat.IntervalSchedule": Doors(ALL),
    "django_celery_beat.PeriodicTask": Doors(ALL, actions=OF_TASKS),
    "django_celery_beat.SolarSchedule": Doors(ALL),
    "signalbox.ApiToken": Doors("add", actions={"revoke": "change"}),
    "signalbox.Channel": Doors(),
    "signalbox.Event": Doors(),
    "signalbox.Intent": Doors(),
    "signalbox_dashboard.AlertRule": Doors(ALL),
    "signalbox_dashboard.Dashboard": Doors(ALL),
    "signalbox_dashboard.Favourite": Doors(ALL),
    "signalbox_dashboard.Series": Doors(ALL),
    "signalbox_dashboard.ShareLink": Doors("change delete"),
    "signalbox_dashboard.Source": Doors(ALL),
    "signalbox_dashboard.Widget": Doors(ALL),
    "signalbox_notifications.Broadcast": Doors("add", "add", SENDING),
    "signalbox_notifications.Delivery": Doors(actions={"try_again": "change"}),
    "signalbox_notifications.Notification": Doors(),
    "signalbox_notifications.Recurrence": Doors("", "", SENDING, actions={"switch_on": "key", "switch_off": "key"}),
    "signalbox_notifications.Schedule": Doors(),
}
PAGES = ("list", "add", "change", "delete", "history")
LABELS = sorted(model._meta.label for model in admin.site._registry)


def registered(label: str) -> tuple[type[Model], Any]:
    return next((model, one) for model, one in admin.site._registry.items() if model._meta.label == label)


def key_of(label: str) -> str:
    meta = registered(label)[0]._meta
    return MODELS[label].key or f"{meta.app_label}.view_{meta.model_name}"


@pytest.fixture
def world(alice: Any, bob: Any, charlie: Any) -> World:
    return make_world(alice, bob, charlie)


@pytest.fixture
def everybody(world: World) -> dict[str, Any]:
    """Whom the pages are tried as. The viewer is of the staff, and is given one permission by each test."""
    viewer = get_user_model().objects.create_user("erin", "erin@example.com", "erin-password", is_staff=True)
    people = {"visitor": None, "user": world.people["stranger"], "member": world.people["member"], "staff": world.people["staff"]}
    return {**people, "viewer": viewer, "superuser": world.people["owner"]}


@pytest.fixture
def row(everybody: dict[str, Any]) -> Callable[[type[Model]], Model]:
    """One row of a model: of those that the world has, else made here."""
    from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

    from core.models import Channel, Event, Intent
    from core.tokens import make_token
    from dashboard.models import Dashboard, Favourite, Source, Widget
    from notifications.models import Broadcast, Delivery, InboxItem, Recurrence, Schedule

    now, owner = timezone.now(), everybody["superuser"]

    def made(model: type[Model]) -> Model:
        makers: dict[type[Model], Callable[[], Any]] = {
            get_user_model(): lambda: everybody["user"],
            Channel: lambda: Channel.objects.get_or_create(name="room:1")[0],
            Event: lambda: Event.objects.create(channel="room:1", type="x", data="{}"),
            Intent: lambda: Intent.objects.create(scope="token:1 /x", key="k", body_hash="h", expires_at=now),
            Favourite: lambda: Favourite.objects.create(user=owner, dashboard=Dashboard.objects.get(slug="ops")),
            Source: lambda: Source.objects.create(
                widget=Widget.objects.get(dashboard__slug="ops"), kind="model", config={"model": "auth.User"}
            ),
            Delivery: lambda: Delivery.objects.create(item=InboxItem.objects.first(), transport="email", due_at=now),
            Recurrence: lambda: Recurrence.objects.create(
                title="Lunch",
                says={},
                audience={"shown": []},
                crontab=CrontabSchedule.objects.create(hour="12"),
                sender=owner,
                created_at=now,
            ),
            Schedule: lambda: Schedule.objects.create(name="lunch", slot=now, broadcast=Broadcast.objects.first()),
            ClockedSchedule: lambda: ClockedSchedule.objects.create(clocked_time=now + timedelta(days=1)),
            SolarSchedule: lambda: SolarSchedule.objects.create(event="sunset", latitude=52, longitude=13),
            IntervalSchedule: lambda: IntervalSchedule.objects.create(every=5, period="seconds"),
            PeriodicTask: lambda: PeriodicTask.objects.create(
                name="x", task="celery.ping", interval=IntervalSchedule.objects.create(every=7, period="days"), enabled=False
            ),
            # Others of the staff than superusers see their own.
            admin_model("signalbox.ApiToken"): lambda: make_token(everybody["viewer"], "ci", ["read:*"])[0],
        }
        if model in makers:
            return makers[model]()  # type: ignore[no-any-return]
        return model._default_manager.first() or model._default_manager.create()

    return made


def admin_model(label: str) -> type[Model]:
    return registered(label)[0]


def address(page: str, row: Model) -> str:
    meta = row._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_{'changelist' if page == 'list' else page}"
    return reverse(name, args=[] if page in {"list", "add"} else [quote(row.pk)])


def browser_of(person: Any) -> Client:
    browser = Client()
    if person is not None:
        browser.force_login(person)
    return browser


def asked(browser: Client, method: str, url: str, form: dict[str, Any] | None = None) -> Any:
    """The answer, and nothing of what it did stays."""
    with transaction.atomic():
        sent = urlencode(form or {}, errors="surrogatepass").encode()
        answer = browser.generic(method.upper(), url, sent, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return answer


def verdict(answer: Any) -> str:
    assert answer.status_code < 500
    if answer.status_code == 302 and answer.headers["Location"].startswith("/admin/login/?next="):
        return "sign in"
    # Of what somebody may not see, Django says that it does not exist, and leads to the index.
    missing = answer.status_code == 302 and answer.headers["Location"] == "/admin/"
    return "refused" if missing or answer.status_code in {403, 404} else "in"


def give(person: Any, permission: str) -> Any:
    """The person, with this permission and no other."""
    app, _, codename = permission.partition(".")
    person.user_permissions.set(Permission.objects.filter(content_type__app_label=app, codename=codename))
    assert person.user_permissions.count() == 1
    return get_user_model().objects.get(pk=person.pk)


def test_every_model_of_the_admin_is_in_the_table():
    assert sorted(MODELS) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_a_page_of_a_model_opens_for_whom_it_is(label: str, everybody: dict[str, Any], row: Any):
    one, doors = row(admin_model(label)), MODELS[label]
    everybody["viewer"] = give(everybody["viewer"], key_of(label))
    may = {"viewer": {"list", "history", "look", *doors.viewer.split()}, "superuser": {"list", "history", "look", *doors.superuser.split()}}
    for name, person in everybody.items():
        browser = browser_of(person)
        for page in PAGES:
            for method in ("get", "post"):
                if page in {"list", "history"} and method == "post":
                    continue
                answer = asked(browser, method, address(page, one))
                wanted = "look" if (page, method) == ("change", "get") else page
                expected = "sign in" if name in {"visitor", "user", "member"} else "in" if wanted in may.get(name, ()) else "refused"
                assert verdict(answer) == expected, f"{name} {method} {page}: {answer.status_code}"
                if expected == "in":
                    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("label", LABELS)
def test_who_may_look_alone_does_nothing_by_an_action(
    label: str, everybody: dict[str, Any], row: Any, monkeypatch: pytest.MonkeyPatch, rf: Any
):
    """Each action as each: taken by whom the table says, and by nobody else. What it would do is not done here."""
    model, one_admin = registered(label)
    one = row(model)
    request = rf.get("/")
    request.user = everybody["superuser"]
    found = {name for name in one_admin.get_actions(request) if name != "delete_selected"}
    assert found == set(MODELS[label].actions)
    taken: list[str] = []
    for name in found:
        monkeypatch.setattr(type(one_admin), name, _noting(getattr(type(one_admin), name), name, taken))
    for name, permission in MODELS[label].actions.items():
        verb = f"{model._meta.app_label}.{permission}_{model._meta.model_name}"
        for person, may in (
            (everybody["user"], False),
            (everybody["staff"], False),
            (give(everybody["viewer"], key_of(label)), permission == "key"),
            (everybody["superuser"], True),
        ):
            taken.clear()
            answer = asked(browser_of(person), "post", address("list", one), {"action": name, "_selected_action": quote(one.pk)})
            assert answer.status_code < 500
            assert (taken == [name]) is may, f"{person} {name} ({verb})"


def _noting(real: Any, name: str, taken: list[str]) -> Any:
    @functools.wraps(real)  # also what permissions it asks for
    def noting(*_: Any) -> None:
        taken.append(name)

    return noting


@pytest.mark.parametrize("label", [label for label in LABELS if MODELS[label].actions])
def test_an_action_works_and_breaks_nothing(label: str, everybody: dict[str, Any], row: Any):
    one, browser = row(admin_model(label)), browser_of(everybody["superuser"])
    for name in MODELS[label].actions:
        answer = asked(browser, "post", address("list", one), {"action": name, "_selected_action": quote(one.pk)})
        assert answer.status_code == 302, name
        assert answer.headers["Location"] == address("list", one)


# --- bad input, as the one who may do everything ---

QUERIES = (
    "q=%00", "q=%ff%fe", "q=" + "x" * 5000, "id__exact=abc", "id__exact=9" + "0" * 40, "user__password__startswith=a",
    "_connector=OR+1%3D1", "o=999.-999.x", "o=%00", "p=9999999999999", "p=-1", "p=x", "all=", "e=1", "_to_field=password",
    "_popup=1", "_changelist_filters=%00",
    "type__exact=%00", "name__exact=%00", "pk__in=%00,1", "is_staff__exact=x", "last_login__gte=9999-99-99",
)  # fmt: skip
KEYS = ("0", "-1", "x", "9" * 40, "%00", "_00", "a%2F..%2Fb", "%ff", "x" * 300, "1%20OR%201=1")
AT_ONE = ("\0", "9" * 400, "[" * 20_000)  # in each field of a model of ours by itself
AT_ALL = ("", "\0", "\ud800", "x" * 100_000, "-1", "NaN", "1e400", "9999-99-99", "٣", "<script>alert(1)</script>")  # in all at once


@pytest.mark.parametrize("label", LABELS)
def test_no_query_and_no_key_breaks_a_page(label: str, everybody: dict[str, Any], row: Any):
    one, browser = row(admin_model(label)), browser_of(everybody["superuser"])
    browser.raise_request_exception = False
    for query in QUERIES:
        answer = browser.get(f"{address('list', one)}?{query}")
        assert answer.status_code in {200, 302, 400}, (query, answer.status_code)
    for key in KEYS:
        for page in ("change", "delete", "history"):
            answer = browser.get(f"{address('list', one)}{key}/{page}/")
            assert answer.status_code in {302, 400, 403, 404}, (key, page, answer.status_code)


@pytest.mark.parametrize("label", [label for label in LABELS if "change" in MODELS[label].superuser])
def test_a_form_that_is_sent_back_as_it_came_is_saved_and_bad_values_break_nothing(label: str, everybody: dict[str, Any], row: Any):
    one, browser = row(admin_model(label)), browser_of(everybody["superuser"])
    page = Form(f"{one._meta.model_name}_form")
    page.feed(browser.get(address("change", one)).content.decode())
    answer = asked(browser, "post", address("change", one), page.sent)
    assert answer.status_code == 302, answer.context["errors"]
    names = [name for name in page.sent if name != "csrfmiddlewaretoken"]
    singly = [name for name in names if label.startswith("signalbox") and not name.endswith("_FORMS")]
    for bad in [{name: value} for name in singly for value in AT_ONE] + [dict.fromkeys(names, value) for value in AT_ALL]:
        answer = asked(browser, "post", address("change", one), page.sent | bad)
        assert answer.status_code in {200, 302, 400}, (bad, answer.status_code)
        assert "<script>alert" not in answer.content.decode()


def test_two_rows_for_the_same_person_are_refused_and_not_broken_on(everybody: dict[str, Any], row: Any):
    board, browser, page = row(admin_model("signalbox_dashboard.Dashboard")), browser_of(everybody["superuser"]), Form("dashboard_form")
    page.feed(browser.get(address("change", board)).content.decode())
    twin = {"roles-TOTAL_FORMS": "2", "roles-1-user": page.sent["roles-0-user"], "roles-1-level": "3", "roles-1-dashboard": board.pk}
    answer = browser.post(address("change", board), page.sent | twin)
    assert (answer.status_code, board.roles.count()) == (200, 1)
    assert "Two rows are for the same one" in answer.content.decode()


def test_a_job_that_is_run_from_the_admin_is_woken(everybody: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    from core import jobs

    job, woken = jobs.registered()[0], []
    monkeypatch.setattr(jobs, "wake", woken.append)
    task = admin_model("django_celery_beat.PeriodicTask").objects.get(task=job.task)  # type: ignore[attr-defined]
    answer = browser_of(everybody["superuser"]).post(
        address("list", task), {"action": "run_tasks", "_selected_action": task.pk}, follow=True
    )
    assert "Woken: 1." in answer.content.decode()
    assert woken == [job.name]


class Form(HTMLParser):
    """What a browser would send of one form of a page, as it came."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.sent, self._inside = name, dict[str, Any](), False
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = dict(attributes)
        name, value = has.get("name") or "", has.get("value") or ""
        if tag == "form":
            self._inside = has.get("id") == self.name
        elif self._inside and tag == "input" and has.get("type") not in {"submit", "button"} and name:
            if has.get("type") not in {"checkbox", "radio"} or "checked" in has:
                self.sent[name] = value or ("on" if has.get("type") == "checkbox" else "")
        elif self._inside and tag == "select":
            self._select = name
        elif self._inside and tag == "option" and "selected" in has:
            self.sent[self._select] = value
        elif self._inside and tag == "textarea":
            self._text = name
            self.sent[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._inside and self._text:
            self.sent[self._text] += data.removeprefix("\n")


def test_what_the_log_of_the_admin_tells_is_of_models_that_one_may_see(everybody: dict[str, Any]):
    """The index shows a person her own last deeds only."""
    from django.contrib.admin.models import LogEntry

    kind = ContentType.objects.get_for_model(get_user_model())
    LogEntry.objects.create(user=everybody["superuser"], content_type=kind, object_id="1", object_repr="secret", action_flag=1)
    assert "secret" in browser_of(everybody["superuser"]).get("/admin/").content.decode()
    assert "secret" not in browser_of(everybody["viewer"]).get("/admin/").content.decode()
