"""docs/figures.md: the table of a run between two markers; what stands around it is written by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Line, table
from tests.bench.processes import this_machine

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def write(path: Path, lines: Sequence[Line]) -> None:
    """Put the table of this run into the page."""
    run = f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {this_machine()}."
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{run}\n\n{table(lines)}\n{END}{after}")
