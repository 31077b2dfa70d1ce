"""Numbers as text, and lines as SVG: each one prepared string. Pure."""

import math
from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 200.0, 34.0, 2.0


def shown(value: float, decimals: int | None = None) -> str:
    """A number for the eye: `1,284`, `0.42`, `1.2e+18`. Without `decimals`: the three digits that matter most."""
    if value and (abs(value) >= 1e15 or abs(value) < 1e-6):
        return f"{value:.3g}"
    if decimals is None:
        text = f"{value:,.{_digits(value)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if text.strip("-0.,") == "" else text


def _digits(value: float) -> int:
    return 0 if value == int(value) else max(0, 2 - math.floor(math.log10(abs(value))))


def exact(value: float) -> str:
    """A number with all its digits: `1,284.125`."""
    return f"{value:,.15g}"


def part(value: float, low: float, high: float) -> float:
    """Where a value lies between two ends: 0 to 1, also outside of them."""
    return min(1.0, max(0.0, (value / 2 - low / 2) / (high / 2 - low / 2))) if high > low else 0.0


def signed(value: float, decimals: int | None = None) -> str:
    """A change for the eye: `+31`, or `−31` with the sign that has a plus's width."""
    text = shown(abs(value), decimals)
    return ("+" if value > 0 else "\u2212") + text


def span(seconds: int) -> str:
    """A length of time in words: `45 s`, `10 min`, `24 h`, `7 days`."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"


def spark(points: Sequence[Sequence[float]], *, color: int = 1) -> str:
    """A small line of [time, value] points; its height is the range of what it shows. Empty below two points."""
    if len(points) < 2:
        return ""
    start, length = points[0][0], (points[-1][0] - points[0][0]) or 1.0
    shape = _heights([point[1] for point in points])
    steps = [f"{(point[0] - start) / length * WIDTH:.0f} {y:.1f}" for point, y in zip(points, shape, strict=True)]
    line = "M" + "L".join(steps)
    return (
        f'<svg class="spark s-{color}" viewBox="0 0 200 34" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="area" d="{line}L200 34L0 34Z"/><path class="line" d="{line}"/></svg>'
    )


def _heights(numbers: Sequence[float]) -> list[float]:
    # Halved before the difference: 1e308 - -1e308 is beyond a double.
    low, high = min(numbers) / 2, max(numbers) / 2
    # A hundredth of the value fills half of the height at most: noise is not drama.
    extent = max(high - low, max(abs(low), abs(high)) / 50)
    if not extent:
        return [HEIGHT / 2] * len(numbers)
    room, floor = HEIGHT - 2 * MARGIN, low - (extent - (high - low)) / 2
    return [MARGIN + room * (1 - (number / 2 - floor) / extent) for number in numbers]
