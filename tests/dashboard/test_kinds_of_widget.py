"""What each kind of widget takes and refuses, and that nothing that people write becomes more than words."""

import re
from typing import Any

import pytest

from core.errors import Problem
from dashboard import widgets
from dashboard.markdown import html


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("table", value) for value in ("text", None, True, [1], {"a": []}, {"a": True}, {"": 1}, {"a": float("nan")}, {"x" * 41: 1})),
        ("table", {str(number): number for number in range(13)}),
        *(("status", value) for value in (1, None, "", "sideways", ["up"], True)),
        *(("text", value) for value in (1, None, "x" * 4001, "\0", "\ud800", {"text": "x"})),
        *(("clock", value) for value in (1, "12:00", None)),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused_in_words(kind: str, value: Any) -> None:
    with pytest.raises(Problem) as refused:
        widgets.of(kind).read(value)
    assert refused.value.detail


@pytest.mark.parametrize(
    ("kind", "config"),
    [("clock", {"zone": "../etc"}), ("clock", {"zone": "Mars/Base"}), ("text", {"text": "x" * 4001}), ("table", {"columns": [""]})],
)
def test_settings_that_mean_nothing_are_refused(kind: str, config: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        widgets.of(kind).settings(config)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<b hx-get="/x" id="w-1" style="x" onclick="x">b</b>',
        "[x](javascript:alert(1))",
        "[x](data:text/html,x)",
        "[x](//evil.example)",
        "[x](http://evil@good.example)",
        "![x](http://pictures.example/x.png)",
        "<hx-partial hx-target='body'>",
        "</div></section>{% debug %}",
    ],
)
def test_markdown_lets_nothing_through_but_plain_tags(text: str) -> None:
    made = html(text)
    assert not re.search(r"<(?!/?(p|a|br|strong|em)\b)", made)
    assert not re.search(r"<[^>]*(hx-|style=|onclick|javascript:|data:|//evil|@good)", made)


def test_markdown_makes_headings_lists_tables_and_links() -> None:
    made = html("# One\n\n- a\n- [b](https://example.com)\n\n| x | y |\n|---|---|\n| 1 | 2 |")
    for good in ("<h3>One</h3>", "<li>a</li>", 'href="https://example.com"', "<td>1</td>"):
        assert good in made


@pytest.mark.parametrize("kind", sorted(widgets.KINDS))
def test_every_kind_has_settings_without_any_a_name_and_an_icon(kind: str) -> None:
    from core.templatetags.ui import drawing

    one = widgets.of(kind)
    assert one.settings({}) is not None
    assert one.title
    assert drawing(one.icon)


@pytest.mark.parametrize(
    "text", ["2026-13-41T99:00:00Z", "2026-11-21T07:10:00", "2026-11-21", "2026-11-21T07:10:00Z<b>", "٢٠٢٦-11-21T07:10Z"]
)
def test_a_cell_that_is_nearly_a_time_is_a_text(text: str) -> None:
    facts = {"label": "", "series": "row", "line": 1, "at": 0, "state": "live", "gone": False}
    assert "<time" not in widgets.of("table").body(1, facts | {"cells": [text]})
    assert "<time" in widgets.of("table").body(1, facts | {"cells": ["2026-11-21T07:10:00.5+01:00"]})
