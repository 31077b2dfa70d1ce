"""How often a widget's values come: what its source says, else learnt from the times of its last values: docs/dashboards.md."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from dashboard import actions, history, sources, widgets
from dashboard.models import Series, Source, Widget

LOOKS_AT = 21  # of the newest values of a series
LEAST = 6  # values before anything is learnt
REGULAR = 0.8  # of the gaps are at most SLACK times as long as the middle one, else there is no interval
SLACK = 2.5
SAME = 0.2  # a new figure that differs by less is the old one: pages take the tile anew for a change
AT_ONCE = 500  # widgets


def learn(times: Sequence[int]) -> float | None:
    """The seconds between two of these values (microseconds, in order); None where they are too few or come as they like."""
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    if len(times) < LEAST or len(gaps) < LEAST - 1:
        return None
    usual = median(gaps)
    if sum(gap <= SLACK * usual for gap in gaps) < REGULAR * len(gaps):
        return None
    return max(0.1, float(f"{usual / history.SECOND:.2g}"))


def settled(before: float | None, now: float | None) -> float | None:
    """What is learnt now, or what was learnt before where that is nearly the same."""
    return before if before and now and abs(now - before) <= SAME * before else now


def learn_now() -> int:
    """The job: learn anew for every widget whose interval nobody gave. Returns how many changed."""
    changed = 0
    after = 0
    while rows := list(Widget.objects.filter(interval=None, pk__gt=after).order_by("pk")[:AT_ONCE]):
        known = _known(rows)
        changed += sum(actions.note_interval(row.pk, known.get(row.pk)) for row in rows if known.get(row.pk) != row.learnt)
        after = rows[-1].pk
    return changed


def _known(rows: Iterable[Widget]) -> dict[int, float | None]:
    """What is to be expected of each of these."""
    by_pk = {row.pk: row for row in rows if _learns(row)}
    fed = Source.objects.filter(widget__in=by_pk)
    of_sources = {one.widget_id: sources.seconds_between(one.kind, one.config, widgets.of(by_pk[one.widget_id].kind)) for one in fed}
    found: dict[int, float | None] = {}
    for widget, interval in _seen([pk for pk in by_pk if pk not in of_sources]):
        found[widget] = min(filter(None, (found.get(widget), interval)), default=None)
    return of_sources | {pk: settled(by_pk[pk].learnt, interval) for pk, interval in found.items()}


def _learns(row: Widget) -> bool:
    kind = widgets.KINDS.get(row.kind)
    return kind is not None and kind.is_regular


def _seen(pks: Sequence[int]) -> Iterable[tuple[int, float | None]]:
    """The interval of each series of these widgets, by its last values."""
    owners = dict(Series.objects.filter(widget__in=pks).values_list("pk", "widget"))
    for series, view in history.views({pk: history.Wanted(LOOKS_AT) for pk in owners}).items():
        yield owners[series], learn([point.at for point in view.points])
