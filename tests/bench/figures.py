"""What a row found: one line each, its ratio last, and whether that is within its goal. The table of them for docs/figures.md. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure. `ratio` is ours against the peer's, or against what the goal allows; met when it is at most `goal`.

    `goal` 0: nothing was promised, the figure is told and no more.
    """

    row: str
    what: str
    values: Mapping[str, float | str] = field(default_factory=dict)
    goal: float = 0.0
    ratio: float = 0.0

    @property
    def is_met(self) -> bool:
        return not self.goal or self.ratio <= self.goal

    def __str__(self) -> str:
        values = [f"{name}={_short(value)}" for name, value in self.values.items()]
        judged = [f"goal={self.goal:.2f}", f"ratio={self.ratio:.2f}"] if self.goal else []
        return " ".join([self.row, self.what, *values, *judged])


def at_most(row: str, what: str, value: float, limit: float, **values: float | str) -> Line:
    """A cost that must not be more than its limit."""
    return Line(row, what, values, goal=1.0, ratio=value / limit)


def at_least(row: str, what: str, value: float, limit: float, **values: float | str) -> Line:
    """A rate that must not be less than its limit."""
    return Line(row, what, values, goal=1.0, ratio=limit / value if value else float("inf"))


def against(row: str, what: str, ours: float, peers: float, goal: float, **values: float | str) -> Line:
    """A cost of ours against the same of a peer."""
    return Line(row, what, values, goal=goal, ratio=ours / peers if peers else float("inf"))


def percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown."""
    rows = ["| row | what | figures | goal | ratio | |", "|---|---|---|---|---|---|"]
    for line in lines:
        values = ", ".join(f"{name} {_short(value)}" for name, value in line.values.items())
        goal, ratio = (f"{line.goal:.2f}", f"{line.ratio:.2f}") if line.goal else ("", "")
        rows.append(f"| {line.row} | {line.what} | {values} | {goal} | {ratio} | {'' if line.is_met else '**missed**'} |")
    return "\n".join(rows)


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
