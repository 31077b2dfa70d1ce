"""Numbers and lines as text."""

import pytest

from dashboard.widgets import figures

SHOWN = {
    0: "0",
    42: "42",
    1284: "1,284",
    -3: "-3",
    0.5: "0.5",
    12.34: "12.3",
    1234.5: "1,234",
    0.00123: "0.00123",
    1e18: "1e+18",
    5e-324: "4.94e-324",
}


@pytest.mark.parametrize(("value", "text"), SHOWN.items())
def test_a_number_shows_the_digits_that_matter(value: float, text: str) -> None:
    assert figures.shown(value) == text


def test_decimals_are_kept_so_that_digits_do_not_dance() -> None:
    assert [figures.shown(value, 1) for value in (1, 1.25, -0.04, 12345.678)] == ["1.0", "1.2", "0.0", "12,345.7"]


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (600, "10 min"), (86_400, "24 h"), (604_800, "7 days")])
def test_a_span_is_told_in_words(seconds: int, text: str) -> None:
    assert figures.span(seconds) == text


def test_a_line_fills_its_height_whatever_its_range() -> None:
    for points in ([[0, 1], [1, 2]], [[0, -1e308], [1, 1e308]], [[0, 1e-300], [5, 2e-300]]):
        assert 'd="M0 32.0L200 2.0"' in figures.spark(points)


def test_noise_is_not_drawn_as_drama() -> None:
    assert 'd="M0 20.0L200 14.0"' in figures.spark([[0, 1000], [1, 1004]])


def test_a_flat_line_lies_in_the_middle_and_a_single_point_is_none() -> None:
    assert 'd="M0 17.0L200 17.0"' in figures.spark([[0, 5], [1, 5]])
    assert figures.spark([[0, 5]]) == figures.spark([]) == ""
