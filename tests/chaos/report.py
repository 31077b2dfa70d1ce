"""What comes out of a row, and the table of a run."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from tests.chaos import stored, verdicts
from tests.chaos.records import Evidence, Outcome, Shown
from tests.chaos.stage import LEAST, Scene, Stage

MB = 1024 * 1024
HEAD = ("row", "fault", "on", "acked", "shown", "repaired", *verdicts.NAMES, "pub p99", "slowest", "away", "memory", "files", "tasks", "")


@dataclass(slots=True)
class Result:
    """One row on one database and server."""

    number: int
    fault: str
    on: str
    acknowledged: int = 0
    shown: int = 0
    repaired: int = 0
    findings: dict[str, list[str]] = field(default_factory=dict)
    p99: float = 0.0  # seconds, of a publish with its commit and numbering
    slowest: float = 0.0  # seconds from acknowledgement to the screen of a client that was connected all the time
    away: float = 0.0  # seconds: the longest that a client was not live
    memory: tuple[int, int] = (0, 0)
    files: tuple[int, int] = (0, 0)
    tasks: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)  # too little traffic, broken promises, a row that broke
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(self.findings.get(name, ())) for name in verdicts.NAMES}

    @property
    def passed(self) -> bool:
        return not self.problems and not any(self.counts.values())

    def cells(self) -> tuple[str, ...]:
        """This result as a line of the table."""
        return (
            str(self.number),
            self.fault,
            self.on,
            str(self.acknowledged),
            str(self.shown),
            str(self.repaired),
            *(str(count) for count in self.counts.values()),
            f"{self.p99 * 1000:.0f} ms",
            f"{self.slowest:.1f} s",
            f"{self.away:.1f} s",
            f"{self.memory[0] // MB} -> {self.memory[1] // MB} MB",
            f"{self.files[0]} -> {self.files[1]}",
            f"{self.tasks[0]} -> {self.tasks[1]}",
            "ok" if self.passed else "FAILED",
        )

    def explained(self) -> Iterable[str]:
        """What was found and what broke, a few sentences of each."""
        for name, sentences in self.findings.items():
            yield from (f"{name}: {sentence}" for sentence in sentences[:5])
            if len(sentences) > 5:
                yield f"{name}: ... {len(sentences)} in all"
        yield from self.problems
        yield from (f"({note})" for note in self.notes)


def measured(result: Result, stage: Stage, evidence: Evidence, *, repairs: bool) -> Result:
    """Fill in what a finished stage shows."""
    stage.monitor.look()
    acknowledged = [one for one in evidence.published if one.outcome is Outcome.ACKNOWLEDGED]
    result.acknowledged = len(acknowledged)
    result.shown = sum(isinstance(entry, Shown) for track in evidence.logs for entry in track.entries)
    result.repaired = stage.swarm.repairs + stage.monitor.sum("gaps") + stage.monitor.sum("rescues")
    result.findings = {name: found for name, found in verdicts.judge(evidence).items() if found}
    direct = [one.ended - one.began for one in acknowledged if one.mark.publisher.startswith("p")]
    result.p99 = sorted(direct)[int(len(direct) * 0.99)] if direct else inf
    result.slowest = max(stage.latencies(evidence.published), default=inf)
    result.away, farthest = max((client.away(), client.name) for client in stage.swarm.clients if client.transport != "poll")
    if result.away > 3:
        stage.note(f"{farthest} was away {result.away:.1f} s")
    use = stage.monitor.use()
    if use is not None:
        result.memory, result.files, result.tasks = zip(*[(one.memory, one.files, one.tasks) for one in use], strict=True)
    errors = Counter(one.error for one in evidence.published if one.error)
    stage.notes += [f"{times} events refused: {error}" for error, times in errors.most_common(5)]
    if codes := stage.swarm.codes():
        stage.note(f"closed with {', '.join(f'{code} {times}x' for code, times in sorted(codes.items()))}")
    result.notes, result.problems = list(stage.notes), list(stage.promises)
    result.problems += _too_little(result, stage, stage.scene, repairs=repairs)
    result.problems += [f"offsets of {channel} have holes" for channel in stored.gaps(evidence.stored)]
    result.problems += [f"a traceback in {process.log.name}: {text}" for process in stage.webs if (text := _traceback(process.output()))]
    return result


_LINE = re.compile(r"^\d{4}-\d\d-\d\dT", re.M)  # how a log line begins


def _traceback(log: str) -> str:
    """The first traceback in a log: the line that it belongs to, and its end, which says what went wrong."""
    start = log.find("Traceback (most recent call last)")
    if start < 0:
        return ""
    after = _LINE.search(log, start)
    whole = log[max(0, log.rfind("\n", 0, max(start - 1, 0))) : after.start() if after else None].strip()
    return whole if len(whole) < 4000 else f"{whole[:500]}\n[...]\n{whole[-3000:]}"


def _too_little(result: Result, stage: Stage, scene: Scene, *, repairs: bool) -> list[str]:
    """A row that saw nothing proves nothing."""
    found = []
    if result.acknowledged < scene.least:
        found.append(f"only {result.acknowledged} publishes were acknowledged, not {scene.least}")
    if {client.transport for client in stage.swarm.clients if any(track.entries for track in client.logs())} != {"ws", "sse", "poll"}:
        found.append("not all three transports showed something")
    if len(stage.swarm.clients) < 20 and scene.least >= LEAST:
        found.append(f"only {len(stage.swarm.clients)} clients")
    if repairs and not result.repaired:
        found.append("this fault makes gaps, and nothing was repaired")
    return found


# --- tables ---


def table(results: Sequence[Result]) -> str:
    """The results in columns."""
    lines = [HEAD, *(result.cells() for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(results: Sequence[Result]) -> str:
    """The same for docs."""
    lines = [HEAD[:-1], ("---",) * (len(HEAD) - 1), *(result.cells()[:-1] for result in results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def last_line(results: Sequence[Result]) -> str:
    sums = {name: sum(result.counts[name] for result in results) for name in verdicts.NAMES}
    rows = len({result.number for result in results})
    publishes = sum(result.acknowledged for result in results)
    repaired = sum(result.repaired for result in results)
    told = " ".join(f"{name}={count}" for name, count in sums.items())
    return f"chaos: rows={rows} publishes={publishes} repaired={repaired} {told}"
