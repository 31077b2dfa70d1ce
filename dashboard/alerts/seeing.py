"""The values that rules have to see: new ones by what the numbering left, and those after a late one again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, OuterRef, Q, Subquery

from dashboard.alerts.machine import SECOND, Condition, Rule, Seen, Standing, reach
from dashboard.models import AlertDue, AlertRule, Sample, Series

NEWS = 3600 * SECOND  # a value for a time longer ago is history: it is judged for the record, and importing a year's worth alerts nobody
MOST = 10_000  # values that are judged again for a late one
_AT_ONCE = 200  # stretches in one query


@dataclass(frozen=True, slots=True)
class Value:
    """One stored value."""

    id: int
    series: int
    at: int
    value: float


@dataclass(frozen=True, slots=True)
class Late:
    """Values beyond a rule's limit that came too late to change how it stands: how many, and the time of the newest."""

    count: int = 0
    newest: int = 0


def lines_of(rules: Iterable[AlertRule]) -> dict[int, dict[int, str]]:
    """The series that each rule is about: name by primary key, by rule."""
    shown: dict[int, dict[int, str]] = defaultdict(dict)
    wanted = list(rules)
    for pk, widget, name in Series.objects.filter(widget__in={rule.widget_id for rule in wanted}).values_list("pk", "widget", "name"):
        shown[widget][pk] = name
    return {rule.pk: {pk: name for pk, name in shown[rule.widget_id].items() if rule.series in ("", name)} for rule in wanted}


def new_values(due: Collection[AlertDue], *, now: int) -> dict[int, list[Value]]:
    """What is new to each rule, by its primary key, in the order of time."""
    stretches = sorted({(one.series, one.first, one.last) for one in due})
    by_series: dict[int, list[Value]] = defaultdict(list)
    for start in range(0, len(stretches), _AT_ONCE):
        meant = Q(pk__in=[])
        for series, first, last in stretches[start : start + _AT_ONCE]:
            meant |= Q(series=series, pk__gte=first, pk__lte=last)
        for value in _values(Sample.objects.filter(meant, at__gt=now - NEWS)):
            by_series[value.series].append(value)
    found: dict[int, dict[int, Value]] = defaultdict(dict)
    for one in due:
        found[one.rule_id] |= {value.id: value for value in by_series[one.series] if one.first <= value.id <= one.last}
    return {pk: sorted(new.values(), key=_order) for pk, new in found.items()}


def late_breaches(due: Collection[AlertDue], rules: Mapping[int, Rule], *, now: int) -> dict[int, Late]:
    """What of these came more than an hour late and was a reason to alert, by rule. One query where nothing did."""
    found: dict[int, Late] = {}
    old, stretches = Sample.objects.filter(at__lte=now - NEWS), list(due)
    for start in range(0, len(stretches), _AT_ONCE):
        some = stretches[start : start + _AT_ONCE]
        if not old.filter(_meant(some)).exists():
            continue
        for pk in {one.rule_id for one in some} & rules.keys():
            beyond = old.filter(_meant(one for one in some if one.rule_id == pk), _beyond(rules[pk]))
            known, row = found.get(pk, Late()), beyond.aggregate(count=Count("pk"), newest=Max("at"))
            if row["count"]:
                found[pk] = Late(known.count + row["count"], max(known.newest, row["newest"]))
    return found


def _meant(stretches: Iterable[AlertDue]) -> Q:
    meant = Q(pk__in=[])
    for one in stretches:
        meant |= Q(series=one.series, pk__gte=one.first, pk__lte=one.last)
    return meant


def _beyond(rule: Rule) -> Q:
    """As Rule.breached_by, in SQL."""
    match rule.condition:
        case Condition.ABOVE:
            return Q(value__gt=rule.high)
        case Condition.BELOW:
            return Q(value__lt=rule.low)
        case Condition.OUTSIDE:
            return Q(value__lt=rule.low) | Q(value__gt=rule.high)
    return Q(pk__in=[])


def seen(standing: Standing, new: Sequence[Value], lines: Mapping[int, str], rule: Rule) -> tuple[list[Seen], dict[int, str]]:
    """What the machine is to see for these new values of some series, and whose value each is, by its time."""
    if not new:
        return [], {}
    first = reach(standing, new[0].at)
    values, ids = list(new), {value.id for value in new}
    if first <= standing.judged:
        again = Sample.objects.filter(series__in=lines, at__gte=first, at__lte=max(standing.judged, new[-1].at)).order_by("at")
        values = sorted({value.id: value for value in [*_values(again[:MOST]), *new]}.values(), key=_order)
    if len(lines) < 2:
        return [Seen(value.at, value.value, value.id in ids) for value in values], {}
    return _worst(values, ids, _before(lines, values[0].at), rule, lines)


def newest(lines: Mapping[int, str]) -> Value | None:
    """The newest value of these series."""
    return next(iter(_values(Sample.objects.filter(series__in=lines).order_by("-at")[:1])), None)


def _worst(
    values: Iterable[Value], new: Collection[int], before: Mapping[int, float], rule: Rule, lines: Mapping[int, str]
) -> tuple[list[Seen], dict[int, str]]:
    """Several lines as one: at each time the value of one that is a reason to alert, where there is such a one."""
    standing, found, whose = dict(before), [], {}
    for value in values:
        standing[value.series] = value.value
        reasons = [series for series, number in standing.items() if rule.breached_by(number)]
        shown = value.series if value.series in reasons or not reasons else reasons[0]
        found.append(Seen(value.at, standing[shown], value.id in new))
        whose[value.at] = lines.get(shown, "")
    return found, whose


def _before(lines: Mapping[int, str], at: int) -> dict[int, float]:
    """The value of each of these series just before a time."""
    last = Sample.objects.filter(series=OuterRef("pk"), at__lt=at).order_by("-at").values("value")[:1]
    rows = Series.objects.filter(pk__in=lines).annotate(last=Subquery(last)).values_list("pk", "last")
    return {pk: number for pk, number in rows if number is not None}


def _values(rows: Iterable[Sample]) -> list[Value]:
    return [Value(*row) for row in rows.values_list("pk", "series", "at", "value")]  # type: ignore[attr-defined]


def _order(value: Value) -> tuple[int, int]:
    return value.at, value.id
