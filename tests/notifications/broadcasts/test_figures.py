"""How many are connected, have seen it, have read it: asked while it is written and while somebody looks, and told by the state channel."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core import jobs
from core.delivery import sequencer
from core.delivery.channel import Event, registry
from core.delivery.hub import hub
from core.delivery.statements import Locked
from core.models import Presence, Process
from notifications.actions import broadcast, mark_read, mark_seen
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import progress, standing
from notifications.broadcasts.actions import figures
from notifications.broadcasts.showing import duration, progress_html
from notifications.models import Broadcast
from tests.notifications.conftest import carried, newest_event

pytestmark = pytest.mark.django_db
User = get_user_model()


@pytest.fixture
def made(alice: Any, bob: Any, charlie: Any) -> Broadcast:
    return broadcast("all", title="x", sender=alice)


def looked_at(made: Broadcast) -> None:
    """Alice has the progress page open."""
    process = Process.objects.create(id="web", expires_at=Now() + timedelta(minutes=1))
    Presence.objects.create(process=process, channel=f"broadcast:{made.pk}", who="alice")


def newest(made: Broadcast) -> dict[str, Any]:
    return dict(carried(f"broadcast:{made.pk}")[-1].data)


def test_each_process_says_whom_it_serves_and_the_page_is_told_the_sum(made: Broadcast, alice: Any, bob: Any, charlie: Any) -> None:
    late = User.objects.create_user("late")
    standing.answer_roll_call(made.pk, "web-1", {str(alice.pk), str(bob.pk), str(late.pk)})
    standing.answer_roll_call(made.pk, "web-2", {str(charlie.pk)})
    broadcasts.measure_watched()
    assert newest(made)["connected"] == 3
    standing.answer_roll_call(made.pk, "web-1", set())
    broadcasts.measure_watched()
    assert newest(made)["connected"] == 1


def test_whoever_came_to_write_while_its_figures_were_shown_is_called_again(
    made: Broadcast, django_capture_on_commit_callbacks: Any
) -> None:
    # The row is locked for both, and a writer does not wait: alone, it would have left the rest to the next sweep.
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        broadcasts.measure_watched()
    assert woken == ["broadcasts_due"]
    broadcasts.work_off_due()
    with jobs.collected() as woken, django_capture_on_commit_callbacks(execute=True):
        broadcasts.measure_watched()
    assert woken == []


def test_who_has_tabs_on_two_processes_is_one(made: Broadcast, alice: Any, bob: Any, charlie: Any) -> None:
    standing.answer_roll_call(made.pk, "web-1", {str(alice.pk), str(bob.pk)})
    standing.answer_roll_call(made.pk, "web-2", {str(alice.pk)})
    broadcasts.measure_watched()
    assert newest(made)["connected"] == 2
    # A process of an older build says how many, and not who.
    made.reach.create(process="web-3", connected=1, asked_at=timezone.now())
    broadcasts.measure_watched()
    assert newest(made)["connected"] == 3


def test_a_process_that_is_silent_counts_no_more(made: Broadcast, alice: Any) -> None:
    standing.answer_roll_call(made.pk, "web-1", {str(alice.pk)})
    broadcasts.measure_watched(timezone.now() + 2 * figures.ANSWERS)
    assert newest(made)["connected"] == 0


def test_after_a_time_without_workers_the_figure_stands_until_somebody_has_answered(made: Broadcast, alice: Any) -> None:
    now = timezone.now()
    Broadcast.objects.update(connected=2, measured_at=now - timedelta(minutes=1))
    broadcasts.measure_watched(now)
    assert newest(made)["connected"] == 2
    # Asked now, and nobody answered: there is nobody.
    broadcasts.measure_watched(now + timedelta(seconds=1))
    assert newest(made)["connected"] == 0


def test_a_hub_that_hears_the_roll_call_answers_with_its_own_people(made: Broadcast, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from notifications import kinds

    asked: list[Any] = []
    monkeypatch.setattr(kinds, "submit", lambda function, *given: asked.append(function(*given)))
    monkeypatch.setattr(hub, "users", lambda: {str(alice.pk), "999999"})
    assert registry.kinds["audience"].render(Event(0, "roll.call", "", {"broadcast": made.pk}, 0.0), "all") == ""
    assert list(made.reach.values_list("process", "connected")) == [(hub.id, 1)]


def test_seen_and_read_are_counted_while_somebody_looks_and_only_then(made: Broadcast, alice: Any, bob: Any) -> None:
    broadcasts.work_off_due()
    mark_seen(alice)
    mark_read(bob, [made.notification_id])
    before = newest_event()
    broadcasts.measure_watched()
    assert carried(f"broadcast:{made.pk}", after=before) == []
    looked_at(made)
    broadcasts.measure_watched()
    assert (newest(made)["seen"], newest(made)["read"]) == (2, 1)
    unchanged = newest_event()
    broadcasts.measure_watched()
    assert carried(f"broadcast:{made.pk}", after=unchanged) == []


def test_what_takes_long_to_count_is_counted_seldom(made: Broadcast, alice: Any) -> None:
    now = timezone.now()
    Broadcast.objects.update(measured_at=now, measuring_ms=3000)
    standing.answer_roll_call(made.pk, "web", {str(alice.pk)})
    broadcasts.measure_watched(now + timedelta(seconds=29))
    assert Broadcast.objects.get().connected == 0
    Broadcast.objects.update(measured_at=now - timedelta(seconds=31))
    standing.answer_roll_call(made.pk, "web", {str(alice.pk)})
    broadcasts.measure_watched()
    assert Broadcast.objects.get().connected == 1


def test_with_nobody_looking_a_round_is_three_queries(made: Broadcast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    broadcasts.work_off_due()
    with django_assert_max_num_queries(3):
        broadcasts.measure_watched()


def test_rate_and_time_left_are_those_of_the_newest_chunks_and_of_none_before_a_pause(made: Broadcast) -> None:
    now = timezone.now()
    Broadcast.objects.update(sent_at=now - timedelta(seconds=10), total=1000, written=200)
    for number in (1, 2):
        at = now - timedelta(seconds=10 - 5 * number)
        made.chunks.create(number=number, first_user="1", last_user="2", written=100, done_at=at)
    made.refresh_from_db()
    told = progress.about(made, now=now)
    assert (told["rate"], told["left"]) == (20, 40)
    assert told["last"] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
    made.resumed_at = now - timedelta(seconds=2)
    assert progress.about(made, now=now)["rate"] == 50
    made.resumed_at = now
    assert progress.about(made, now=now + timedelta(minutes=1))["last"] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
    assert (progress.about(made, now=now)["rate"], progress.about(made, now=now)["left"]) == (0, None)


def test_progress_is_told_at_once_and_then_the_newest_of_it_five_times_a_second(made: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    channel, due = f"broadcast:{made.pk}", sequencer._due

    def numbered(*, since: float | None) -> list[int]:
        """What of the rows written a pass tells, so many seconds after the one before it."""

        def after(rows: Iterable[Locked], outcome: sequencer.Outcome) -> dict[str, Locked]:
            rows = list(rows)
            for row in rows:
                row.since = since
            return due(rows, outcome)

        monkeypatch.setattr(sequencer, "_due", after)
        return [event.data["written"] for batch in sequencer.sequence([channel]).batches for event in batch.events]

    assert numbered(since=None) == [0]
    broadcasts.write_chunk(made.pk, size=1)
    broadcasts.write_chunk(made.pk, size=1)
    assert numbered(since=0.19) == []
    broadcasts.write_chunk(made.pk, size=1)
    assert numbered(since=0.2) == [3]


def test_the_page_says_all_of_it_in_words() -> None:
    told = {"state": "sending", "total": 12345, "written": 10000, "connected": 7, "seen": 5, "read": 3, "rate": 1000, "left": 200}
    html = progress_html(7, told)
    for word in ("Queued", "2\u202f345", "Connected now", "Seen", "Read", "1\u202f000 a second", "3 min left"):
        assert word in html
    assert [duration(seconds) for seconds in (0, 59, 60, 3540, 3600, 7500)] == ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "2 h 5 min"]
    # Nobody tells the page more while no worker runs: then it shows for how long.
    assert 'last rows: <time class="num" datetime="2026-11-21T18:00:00Z" data-style="age">' in progress_html(
        7, told | {"last": "2026-11-21T18:00:00Z"}
    )
    assert "last rows" not in progress_html(7, told | {"last": "2026-11-21T18:00:00Z", "state": "paused"})
    # Events from before there were such figures are still on the channel.
    assert "Queued" in progress_html(7, {"state": "done", "total": 2, "written": 2})
