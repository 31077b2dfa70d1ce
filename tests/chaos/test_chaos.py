"""The small set for CI: three faults at a third of their size, and the checker's own test. `make chaos` plays all of them in full."""

from collections.abc import Iterator

import pytest

from tests.chaos import runner, verdicts
from tests.chaos.rows import ROWS
from tests.chaos.stage import Scene, Services

pytestmark = [pytest.mark.valkey, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with runner.services(postgres=True) as running:
        yield running


@pytest.mark.matrix
@pytest.mark.parametrize(("number", "database", "server"), [(1, "sqlite", "uvicorn"), (15, "postgres", "uvicorn"), (4, "sqlite", "daphne")])
def test_nothing_shows_of_a_fault(services: Services, number: int, database: str, server: str) -> None:
    row = next(row for row in ROWS if row.number == number)
    result = runner.play(row, services, Scene(database=database, server=server, least=300, crowd=12, publishers=2))
    assert result.passed, "\n".join(result.explained())


@pytest.mark.parametrize("verdict", verdicts.NAMES)
def test_a_broken_product_turns_exactly_its_verdict_red(services: Services, verdict: str) -> None:
    found = runner.sabotaged(verdict, services)
    assert set(found) == {verdict}, {name: said[:3] for name, said in found.items()}
