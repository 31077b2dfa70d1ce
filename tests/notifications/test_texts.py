"""What may stand in a notification, and what is refused or taken out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifications import drafts, texts, times
from notifications.errors import BadNotification
from notifications.models import Priority

NOW = datetime(2026, 11, 21, 7, 10, tzinfo=UTC)


def test_the_first_line_is_the_title_and_the_rest_the_body() -> None:
    assert texts.title_and_body("Backup done\n\n48 GB\nin 3 min\n") == ("Backup done", "48 GB\nin 3 min")


def test_a_long_first_line_is_cut_at_80_characters_and_kept_whole_in_the_body() -> None:
    text = "word " * 40
    title, body = texts.title_and_body(text)
    assert len(title) <= texts.PLAIN_TITLE
    assert title.endswith("…")
    assert body == text.strip()


@pytest.mark.parametrize("title", ["", "   ", "\n\t", "\u200b\u200e", "\u202e"])
def test_a_title_that_nobody_can_read_is_refused(title: str) -> None:
    with pytest.raises(BadNotification):
        texts.line(title, field="title", limit=texts.TITLE)


@pytest.mark.parametrize("title", ["a\0b", "a\ud800b", "x" * 201, "x" * 10**6, None, 7, b"bytes"])
def test_a_title_that_cannot_be_carried_is_refused(title: object) -> None:
    with pytest.raises(BadNotification) as caught:
        texts.line(title, field="title", limit=texts.TITLE)
    assert caught.value.field == "title"


def test_a_title_is_one_line_without_controls_and_overrides() -> None:
    assert texts.line(" a\r\nb\t c\x07\u202e ", field="title", limit=200) == "a b c"


def test_a_tower_of_combining_marks_becomes_a_letter_with_eight() -> None:
    assert texts.line("x" + "\u0301" * 500 + "y", field="title", limit=200) == "x" + "\u0301" * 8 + "y"


def test_ordinary_accents_in_any_form_stay() -> None:
    assert texts.line("Ünïcödé e\u0301", field="title", limit=200) == "Ünïcödé é"


@pytest.mark.parametrize("url", ["https://ci.example.com/42?a=b#c", "http://[::1]:8000/", "/rooms/lobby/", "/", "", "https://ex.com/a%20b"])
def test_web_addresses_and_our_own_paths_are_taken(url: str) -> None:
    assert texts.url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "javascript&colon;alert(1)",
        "data:text/html,<script>", "vbscript:x", "//evil.example", "\\\\evil.example", "/\\evil.example", "/\t/evil.example",
        "http://evil\\@good.example", "http://good.example@evil.example/", "https:evil.example", "http:///x", "http://", "ftp://x/",
        "file:///etc/passwd", "mailto:a@b.c", "rooms/lobby", "https://ex.com/ a", "https://ex.com/\n", "https://ex.com/\u202e", "\0",
        "http://[::1", "http://x:99999/", "https://" + "x" * 2000, "https://ex.com/\ud800",
    ],
)  # fmt: skip
def test_an_address_that_leads_elsewhere_than_it_looks_is_refused(url: str) -> None:
    with pytest.raises(BadNotification):
        texts.url(url)


@pytest.mark.parametrize("key", ["a\nb", "é", "x" * 129, "\x7f", None])
def test_a_key_is_printable_ascii(key: object) -> None:
    with pytest.raises(BadNotification):
        texts.key(key)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-21T08:10:00+01:00", NOW), ("2026-11-21T07:10:00Z", NOW), ("1795245000", NOW), (1795245000, NOW), (1795245000.0, NOW),
        ("30m", NOW + timedelta(minutes=30)), ("2h", NOW + timedelta(hours=2)), ("3d", NOW + timedelta(days=3)),
        ("45s", NOW + timedelta(seconds=45)),
    ],
)  # fmt: skip
def test_times_are_read_in_all_three_ways(written: object, meant: datetime) -> None:
    assert times.read(written, now=NOW, field="at") == meant


@pytest.mark.parametrize(
    "written",
    [
        "", "soon", "2026-11-21", "2026-11-21T07:10:00", "1795245000000", "-1", "0", "1e400", "nan", "٣٠m", "30 m", "0m",
        "99999999d", "m30",
        "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", True, None, [], float("nan"), float("inf"), 2**63,
        "x" * 1000,
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_meant_is_refused(written: object) -> None:
    with pytest.raises(BadNotification):
        times.read(written, now=NOW, field="at")


@pytest.mark.parametrize("distance", [timedelta(minutes=-2), timedelta(days=-3650), timedelta(days=4000)])
def test_what_is_planned_lies_ahead_and_within_ten_years(distance: timedelta) -> None:
    with pytest.raises(BadNotification):
        drafts.checked(now=NOW, title="x", deliver_at=NOW + distance)


def test_something_may_not_expire_before_it_arrives() -> None:
    with pytest.raises(BadNotification):
        drafts.checked(now=NOW, title="x", deliver_at=NOW + timedelta(hours=2), expires_at=NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("word", "priority"),
    [
        ("low", Priority.LOW),
        ("1", Priority.LOW),
        (2, Priority.LOW),
        ("3", Priority.NORMAL),
        ("HIGH", Priority.HIGH),
        (5, Priority.CRITICAL),
    ],
)
def test_priorities_have_names_and_numbers(word: object, priority: Priority) -> None:
    assert drafts.priority_named(word) == priority


@pytest.mark.parametrize("word", ["", "0", "6", "loud", "3.5", None, True, "٣"])
def test_another_priority_is_refused_with_those_there_are(word: object) -> None:
    with pytest.raises(BadNotification) as caught:
        drafts.priority_named(word)
    assert caught.value.allowed == ["low", "normal", "high", "critical"]


@pytest.mark.parametrize(
    "actions",
    [
        [{"label": "a", "url": "/a"}] * 3, [{"label": "a"}], [{"label": "a", "url": ""}], [{"label": "", "url": "/a"}],
        [{"label": "a", "url": "javascript:x"}], [{"label": "a", "url": "/a", "onclick": "x"}], ["a"], [{"label": "x" * 41, "url": "/a"}],
    ],
)  # fmt: skip
def test_an_action_is_a_label_and_a_safe_address_and_there_are_at_most_two(actions: list[Any]) -> None:
    with pytest.raises(BadNotification):
        drafts.checked(now=NOW, title="x", actions=actions)
