"""Run in a site on Postgres: several processes' worth of publishers, numberings and judges at once, and one item comes of it.

Prints `one item` at its end. `test_judges.py` starts it.
"""

import threading

from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from core.delivery import sequencer
from core.sinks import Alert, alerts
from dashboard.actions import record, save_dashboard, save_widget
from dashboard.alerts import actions
from dashboard.models import AlertDue, AlertRule, Dashboard, Sample, Widget
from notifications.models import InboxItem, Notification

PUBLISHERS, JUDGES, VALUES = 3, 3, 10


def main() -> None:
    owner = get_user_model().objects.create_user("olga")
    board = save_dashboard(Dashboard(slug="ops", title="Ops", owner=owner))
    widget = save_widget(Widget(dashboard=board, slug="queue", kind="stat", title="Queue"))
    rule = actions.save_rule(AlertRule(widget=widget, name="Long", condition="above", high=90, recovery_seconds=600))
    told: list[Alert] = []
    alerts.connect(told.append)
    gate, done = threading.Barrier(PUBLISHERS + JUDGES), threading.Event()

    def publish(number: int) -> None:
        gate.wait()
        for turn in range(VALUES):
            record(widget, 95 if turn % 2 else 50, timezone.now().timestamp() - 60 + turn + number / 10)
            sequencer.sequence_channels([board.channel])
        connection.close()

    def judge() -> None:
        gate.wait()
        while not done.is_set():
            actions.judge(now=timezone.now())
        connection.close()

    writers = [threading.Thread(target=publish, args=[number]) for number in range(PUBLISHERS)]
    judges = [threading.Thread(target=judge) for _ in range(JUDGES)]
    for thread in [*writers, *judges]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in judges:
        thread.join()
    _number_rest(board)
    actions.judge(now=timezone.now())
    rule.refresh_from_db()
    assert not AlertDue.objects.exists() and rule.state in ("firing", "recovering"), rule.state
    assert rule.judged == Sample.objects.order_by("-at").values_list("at", flat=True)[0], "also what came last was judged"
    assert [one.title for one in told] == ["Alert: Long"], told
    assert (InboxItem.objects.count(), Notification.objects.count()) == (1, 1)
    print("one item")


def _number_rest(board: Dashboard) -> None:
    while sequencer.sequence([board.channel]).later:
        threading.Event().wait(0.05)
