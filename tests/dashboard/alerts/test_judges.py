"""Alerts where several processes number and judge at once, and where one dies and another goes on."""

from collections.abc import Callable

import pytest

from tests.support import servers

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
# Two processes, one after the other: the first is gone before its alert's time has come.
BEFORE = """
from django.contrib.auth import get_user_model
from dashboard.actions import record, save_dashboard, save_widget
from dashboard.alerts import actions
from dashboard.models import AlertRule, Dashboard, Widget
board = save_dashboard(Dashboard(slug="ops", title="Ops", owner=get_user_model().objects.create_user("olga")))
widget = save_widget(Widget(dashboard=board, slug="queue", kind="stat", title="Queue"))
actions.save_rule(AlertRule(widget=widget, name="Long", condition="above", high=90, pending_seconds=600))
record(widget, 95)
"""
AFTER = """
from core.delivery.sequencer import sequence
from dashboard import values
from dashboard.alerts import actions
from dashboard.models import AlertRule, Dashboard, Sample
from notifications.models import InboxItem
sequence([board.channel for board in Dashboard.objects.all()])
for later in (1, 600, 601):
    actions.judge(now=values.moment(Sample.objects.get().at + later * 1000000))
    print(later, AlertRule.objects.get().state, [item.notification.title for item in InboxItem.objects.select_related("notification")])
"""


@pytest.mark.postgres
def test_three_judges_and_three_publishers_make_one_item(new_site: Callable[..., servers.Site]) -> None:
    site = new_site(database="postgres")
    done = site.manage("shell", "--no-imports", "-c", "from tests.dashboard.alerts.judges import main; main()")
    assert done.stdout.splitlines()[-1] == "one item"


@pytest.mark.parametrize("database", DATABASES)
def test_what_one_process_began_another_goes_on_with(new_site: Callable[..., servers.Site], database: str) -> None:
    site = new_site(database=database)
    site.manage("shell", "--no-imports", "-c", BEFORE)
    said = site.manage("shell", "--no-imports", "-c", AFTER).stdout.splitlines()
    assert said[-3:] == ["1 pending []", "600 firing ['Alert: Long']", "601 firing ['Alert: Long']"]
