"""The six verdicts of the checker, from what publishers and clients wrote down and what the database holds. Pure.

Each function returns its findings, a sentence each; none is what the product promises.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from tests.chaos.records import Evidence, LogTrack, Mark, Outcome, Place, Published, Shown, Silence

NAMES = ("lost", "ghost", "double", "disorder", "stale", "leak")


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """All findings by verdict."""
    return {name: _JUDGES[name](evidence) for name in NAMES}


def lost(evidence: Evidence) -> list[str]:
    """An event of a log was acknowledged and is not in a client's final state, or half of a transaction is gone."""
    due: dict[str, set[Mark]] = defaultdict(set)
    for one in _kept(evidence):
        if one.outcome is Outcome.ACKNOWLEDGED and not one.is_state:
            due[one.channel].add(one.mark)
    found = [
        f"{_said(mark)} on {track.channel} did not reach {track.client}"
        for track in evidence.logs
        if track.finishes
        for mark in sorted(due[track.channel] - set(track.final()))
    ]
    return found + _halves(evidence)


def _halves(evidence: Evidence) -> list[str]:
    """Transactions of unknown outcome of which one event is stored and another is not."""
    stored = {mark for marks in evidence.stored.logs.values() for mark in marks}
    together: dict[str, list[Published]] = defaultdict(list)
    for one in _kept(evidence):
        if one.outcome is Outcome.UNKNOWN and not one.is_state and one.channel in evidence.stored.logs:
            together[one.together].append(one)
    there = {name: {one.mark in stored for one in events} for name, events in together.items()}
    return [f"half of the transaction {name} is stored" for name, both in there.items() if len(both) == 2]


def ghost(evidence: Evidence) -> list[str]:
    """An event was shown whose transaction rolled back, or that nobody ever published."""
    known = {one.mark: one.outcome for one in evidence.published}
    return [
        f"{track.client} showed {_said(mark)} on {track.channel}, which {'rolled back' if mark in known else 'nobody published'}"
        for track in evidence.logs
        for mark in sorted({mark for mark, _ in track.showings()})
        if known.get(mark, Outcome.ROLLED_BACK) is Outcome.ROLLED_BACK
    ]


def double(evidence: Evidence) -> list[str]:
    """A client shows an event twice."""
    return [f"{track.client} showed {_said(mark)} on {track.channel} twice" for track in evidence.logs for mark in _doubles(track)]


def _doubles(track: LogTrack) -> list[Mark]:
    seen: set[Mark] = set()
    twice = []
    for entry in track.entries:
        if isinstance(entry, Shown):
            if entry.mark in seen:
                twice.append(entry.mark)
            seen.add(entry.mark)
        else:
            twice += [mark for index, mark in enumerate(entry.marks) if mark in entry.marks[:index]] if _repeats(entry.marks) else []
            seen = set(entry.marks)
    return twice


def _repeats(marks: Sequence[Mark]) -> bool:
    return len(set(marks)) < len(marks)


def disorder(evidence: Evidence) -> list[str]:
    """Clients disagree on a log's order, a publisher's own sequence is swapped, or a widget went backwards."""
    found = [step for track in evidence.states for step in track.backwards]
    first: dict[str, tuple[LogTrack, dict[Mark, int]]] = {}
    for track in sorted(evidence.logs, key=lambda track: -len(track.entries)):
        order = list(dict.fromkeys(track.final()))
        found += _swapped(track, order)
        leader, places = first.setdefault(track.channel, (track, {mark: index for index, mark in enumerate(order)}))
        found += _disagreements(track, leader, order, places)
    return found


def _swapped(track: LogTrack, order: Iterable[Mark]) -> list[str]:
    last: dict[str, int] = {}
    found = []
    for mark in order:
        if mark.number < last.get(mark.publisher, -1):
            found.append(f"{track.client} has {_said(mark)} after number {last[mark.publisher]} on {track.channel}")
        last[mark.publisher] = mark.number
    return found


def _disagreements(track: LogTrack, leader: LogTrack, order: Sequence[Mark], places: Mapping[Mark, int]) -> list[str]:
    shared = [mark for mark in order if mark in places]
    return [
        f"{track.client} has {_said(after)} after {_said(before)} on {track.channel}, {leader.client} before it"
        for before, after in pairwise(shared)
        if places[after] < places[before]
    ]


def stale(evidence: Evidence) -> list[str]:
    """What a client shows in the end is not what the database holds: values, counts, what a restore took back. Or the database is older."""
    return [*_old_values(evidence), *_old_counts(evidence), *_not_taken_back(evidence), *_old_rows(evidence)]


def _old_values(evidence: Evidence) -> list[str]:
    found = []
    for track in evidence.states:
        truth = evidence.stored.states.get(track.channel, {})
        places: set[Place] = set(truth) | set(track.values) if track.finishes else set()
        found += [
            f"{track.client} shows {track.values.get(place)} for {place[1]} of {track.channel}, the database has {truth.get(place)}"
            for place in sorted(places)
            if track.values.get(place) != truth.get(place)
        ]
    return found


def _old_counts(evidence: Evidence) -> list[str]:
    counts = evidence.stored.counts
    return [f"{client} shows an old badge" for (client, user), html in evidence.counts.items() if user in counts and html != counts[user]]


def _not_taken_back(evidence: Evidence) -> list[str]:
    """Events on a screen that the database has not (any more)."""
    found = []
    for track in evidence.logs:
        if track.finishes and track.channel in evidence.stored.logs:
            extra = set(track.final()) - set(evidence.stored.logs[track.channel])
            found += [f"{track.client} still shows {_said(mark)} on {track.channel}, which is not stored" for mark in sorted(extra)]
    return found


def _old_rows(evidence: Evidence) -> list[str]:
    """State values that were acknowledged, and an older one stands."""
    newest: dict[tuple[str, Place], int] = {}
    for one in _kept(evidence):
        if isinstance(one.value, int) and one.lasting and one.outcome is Outcome.ACKNOWLEDGED:
            place = (one.channel, (one.slot, one.key))
            newest[place] = max(one.value, newest.get(place, one.value))
    found = []
    for (channel, place), value in newest.items():
        stands = evidence.stored.states.get(channel, {}).get(place)
        if not isinstance(stands, int) or stands < value:
            found.append(f"{value} was acknowledged for {place[1]} of {channel}, the database has {stands}")
    return found


def leak(evidence: Evidence) -> list[str]:
    """A client showed something of a channel after the time in which it had to fall silent."""
    return [
        f"{track.client} showed {_said(mark)} on {track.channel} {_late(at, silence)}"
        for silence in evidence.silences
        for track in evidence.logs
        if track.client == silence.client and silence.channel in {None, track.channel}
        for mark, at in track.showings()
        if at > silence.since
    ]


def _late(at: float, silence: Silence) -> str:
    return f"{at - silence.since:.1f} s too late ({silence.why})" if silence.since else "without ever having the right"


def _kept(evidence: Evidence) -> Iterable[Published]:
    """What was published, without what a restore took back."""
    if evidence.forgotten is None:
        return evidence.published
    start, end = evidence.forgotten
    return [one for one in evidence.published if one.ended < start or one.began > end]


def _said(mark: Mark) -> str:
    return f"{mark.publisher}-{mark.number}"


_JUDGES: dict[str, Callable[[Evidence], list[str]]] = {
    "lost": lost,
    "ghost": ghost,
    "double": double,
    "disorder": disorder,
    "stale": stale,
    "leak": leak,
}
