"""What the bench says of what it measured: lines, goals, the table, the page; and the plan past this machine. Nothing is measured here."""

from pathlib import Path

import pytest

from tests.bench import page
from tests.bench.figures import Line, against, at_least, at_most, percentile, table
from tests.bench.scaling import Costs, Load, plan


def test_a_line_ends_with_its_ratio() -> None:
    line = against("fanout", "uvicorn", 7.4, 6.8, 1.3, ours_us=7.4, nchan_us=6.8)
    assert str(line) == "fanout uvicorn ours_us=7.4 nchan_us=6.8 goal=1.30 ratio=1.09" and line.is_met


@pytest.mark.parametrize(
    ("line", "met"),
    [
        (at_most("latency", "p99", 20, 20), True),
        (at_most("latency", "p99", 20.5, 20), False),
        (at_least("publishes", "one", 600, 600), True),
        (at_least("publishes", "one", 599, 600), False),
        (at_least("publishes", "none", 0, 600), False),
        (against("fanout", "daphne", 41, 6.8, 6), False),
        (Line("fanout", "node_ws", {"us": 13}), True),
    ],
)
def test_a_goal_is_met_or_missed(line: Line, met: bool) -> None:
    assert line.is_met is met


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3, 1, 2], 0.5) == 2 and percentile([3, 1, 2], 1.0) == 3


def test_the_table_marks_what_was_missed() -> None:
    rows = table([at_most("latency", "p99", 40, 20, ours_ms=40.0)]).splitlines()
    assert rows[-1] == "| latency | p99 | ours_ms 40 | 1.00 | 2.00 | **missed** |"


def test_the_page_keeps_what_stands_around_its_table(tmp_path: Path) -> None:
    path = tmp_path / "figures.md"
    path.write_text(f"Before.\n{page.BEGIN}\nold\n{page.END}\nAfter.\n")
    page.write(path, [Line("fanout", "node_ws", {"us": 13})])
    text = path.read_text()
    assert text.startswith("Before.\n") and text.endswith("\nAfter.\n") and "old" not in text and "| fanout | node_ws | us 13 |" in text


def test_ten_times_the_people_take_at_least_ten_times_the_processes_that_one_core_cannot_spare() -> None:
    small, large = plan(Load(100_000)), plan(Load(1_000_000))
    assert large.processes >= 10 * small.processes and large.memory_gb > 9 * small.memory_gb


def test_a_dearer_delivery_takes_more_processes() -> None:
    assert plan(Load(100_000), Costs(delivery_us=229)).processes > 10 * plan(Load(100_000)).processes
