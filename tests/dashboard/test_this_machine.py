"""The demo's board, what this machine measures, and the feed of what happens here."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from core import jobs
from core.demo import People
from core.models import Process
from dashboard import demo, widgets
from dashboard.models import AlertRule, Dashboard, Favourite, Sample, Widget
from workers import sampling

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine(alice: Any, bob: Any, charlie: Any) -> Dashboard:
    demo.make(People(alice, bob, charlie))
    return Dashboard.objects.get(slug="this-machine")


def test_the_demo_s_board_is_made_once_and_open_to_everybody_signed_in(machine: Dashboard, alice: Any, bob: Any, charlie: Any) -> None:
    demo.make(People(alice, bob, charlie))
    assert (Dashboard.objects.count(), Widget.objects.count(), Favourite.objects.count()) == (1, len(demo.TILES), 3)
    assert set(Widget.objects.values_list("kind", flat=True)) == set(widgets.KINDS), "it shows all there is"
    assert AlertRule.objects.count() == len(demo.RULES)
    browser = Client()
    browser.force_login(charlie)
    assert browser.get("/dashboards/this-machine/").status_code == 200
    assert Client().get("/dashboards/this-machine/").status_code == 404


def test_a_sample_of_this_machine_fills_the_board(machine: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling._Meters, "SOON", 0.0)
    sampling.sample_machine()
    sampling.sample_machine()
    found = {(widget, series) for widget, series in Sample.objects.values_list("series__widget__slug", "series__name")}
    wanted = {("cpu", ""), ("memory", ""), ("disk", ""), ("network", ""), ("usage", "cpu"), ("usage", "memory"), ("usage", "load")}
    assert found == wanted | {("used", "")}, "where no web process runs, nothing is said of them"
    assert all(0 <= value <= 100 for value in Sample.objects.filter(series__widget__slug="memory").values_list("value", flat=True))


def test_what_the_web_processes_left_stands_on_the_board(machine: Dashboard, alice: Any) -> None:
    left = {"connections": 7, "publishes": 3.0, "deliveries": 21.0, "lags": 5.0, "lag": 4.25}
    Process.objects.create(pk="web-1", expires_at=timezone.now() + timedelta(minutes=1), figures=left)
    Process.objects.create(pk="web-2", expires_at=timezone.now() + timedelta(minutes=1), figures={"connections": 5})
    sampling.sample_machine()
    shown = {(one.series.widget.slug, one.series.name): one.value for one in Sample.objects.select_related("series__widget")}
    assert shown.items() >= {("connections", ""): 12, ("publishes", ""): 3, ("deliveries", ""): 21, ("lag", ""): 4.25}.items()
    assert (shown["traffic", "publishes"], shown["traffic", "deliveries"]) == (3, 21)
    browser = Client()
    browser.force_login(alice)
    text = browser.get("/dashboards/this-machine/").content.decode()
    assert ">12</span>" in text and "3.0<small>/s</small>" in text and "4.2<small>ms</small>" in text


def test_without_the_board_nothing_is_sampled_and_a_missing_tile_is_left_out(machine: Dashboard) -> None:
    Widget.objects.filter(slug="usage").delete()
    assert sampling.sample_machine() >= 2
    Dashboard.objects.all().delete()
    assert sampling.sample_machine() == 0


def test_the_samples_are_jobs_that_expire() -> None:
    job = jobs.job("sample_machine")
    assert (job.queue, job.every, job.expires) == ("live", 2, 2.0)
    assert jobs.job("trim_samples").every


def entries() -> list[str]:
    return list(Sample.objects.filter(series__widget__slug="events").order_by("pk").values_list("label", flat=True))


def test_sign_ins_stand_in_the_feed(machine: Dashboard, bob: Any, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().login(username="bob", password="bob-password")
    assert "bob signed in" in entries()


def test_a_saved_model_stands_in_the_feed_without_what_it_says(
    machine: Dashboard, alice: Any, django_capture_on_commit_callbacks: Any
) -> None:
    Notification = apps.get_model("signalbox_notifications", "Notification")
    now = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        Notification.objects.create(title="a secret", sender=alice, created_at=now, updated_at=now)
        sent = Notification.objects.create(title="a secret", created_at=now, updated_at=now)
        sent.title = "changed"
        sent.save()
    assert sorted(entries()) == ["A notification was sent", "alice sent a notification"]


def test_a_missing_feed_hinders_nobody(db: None, django_capture_on_commit_callbacks: Any) -> None:
    User.objects.create_user("dora", password="dora-password")
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().login(username="dora", password="dora-password")
