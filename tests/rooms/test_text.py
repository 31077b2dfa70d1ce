"""What people may write, and what becomes of it."""

import pytest

from notifications.rooms.text import BadText, clean, clean_title, is_slug, to_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:x) [y](data:text/html,<script>1</script>) <javascript:alert(1)>",
    "[x](//evil.example)",
    "[x](\\\\evil.example)",
    "[x](http://evil.example\\@good.example)",
    "[x](https://good.example@evil.example)",
    '[x](https://a.example "\\" onmouseover=alert(1) x=")',
    '"><b hx-get="/accounts/logout/" hx-trigger="load">x</b>',
    '<div hx-on:click="alert(1)" hx-swap-oob="true" hx-ws:connect="/x" id="main">x</div>',
    '<li id="m-1">forged</li> <hx-partial hx-target="#toasts">x</hx-partial>',
    "</template></li></ol><base href=//evil><meta http-equiv=refresh content=0>",
    "{{ request.user.password }} {% debug %}",
    '<div style="position:fixed;inset:0">x</div> <p class="toast">x</p>',
    "![x](https://evil.example/track.png)",
    "`<script>` ```<script>",
    "\n".join(["```html", "<script>alert(1)</script>", "```"]),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_no_markup_but_the_subset(text: str) -> None:
    tags = _tags(to_html(text))
    assert {name for name, _ in tags} <= {"a", "p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"}
    for name, attributes in tags:
        assert set(attributes) <= ({"href", "rel"} if name == "a" else {"start"} if name == "ol" else set())
        assert attributes.get("href", "https://").split(":")[0] in {"http", "https", "mailto"}
        assert "@" not in attributes.get("href", "").split("?")[0] or attributes["href"].startswith("mailto:")


def _tags(html: str) -> list[tuple[str, dict[str, str]]]:
    from html.parser import HTMLParser

    found: list[tuple[str, dict[str, str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, {name: value or "" for name, value in attrs}))

    reader = Reader()
    reader.feed(html)
    reader.close()
    return found


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("> so", "<blockquote>\n<p>so</p>\n</blockquote>"),
        (
            "see https://a.example/b?c=1&d=2",
            '<p>see <a href="https://a.example/b?c=1&amp;d=2" rel="nofollow noopener noreferrer">https://a.example/b?c=1&amp;d=2</a></p>',
        ),
        ("# 1 < 2 & so", "<p># 1 &lt; 2 &amp; so</p>"),
        ("a.example", "<p>a.example</p>"),
    ],
)
def test_the_subset_of_markdown(text: str, html: str) -> None:
    assert to_html(text) == html


@pytest.mark.parametrize("text", [">>>", "```", "- - -", "> \n>"])
def test_markup_around_nothing_is_shown_as_typed(text: str) -> None:
    assert "&gt;" in to_html(text) or text in to_html(text)


@pytest.mark.parametrize("text", ["*" * 4000, "[" * 4000, ">" * 4000, "`" * 3999, "- " * 2000, "![](" * 1000, "<" * 4000, "a\u0301" * 2000])
def test_piles_of_markup_render(text: str) -> None:
    assert to_html(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "not_text"),
        (5, "not_text"),
        (["a"], "not_text"),
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\u200b\u2060\ufeff\u202e", "empty"),
        ("a\0b", "bad_text"),
        ("\ud800", "bad_text"),
        ("x" * 4001, "too_long"),
        ("x" * 10**7, "too_long"),
    ],
)
def test_what_is_no_message_is_refused_by_name(text: object, code: str) -> None:
    with pytest.raises(BadText) as caught:
        clean(text, limit=4000)
    assert caught.value.code == code


def test_the_limit_itself_passes_and_counts_characters_after_normalising() -> None:
    assert len(clean("é" * 4000, limit=4000)) == 4000
    assert clean("e\u0301" * 4000, limit=4000) == "é" * 4000
    assert len(clean("😀" * 4000, limit=4000)) == 4000


def test_control_characters_are_shown_as_lost_and_line_ends_are_one() -> None:
    assert clean(" a\r\nb\rc\x1b[31m\x85 ", limit=100) == "a\nb\nc\ufffd[31m\ufffd"


def test_a_title_is_one_line() -> None:
    assert clean_title(" Ops \n  room\t1 ") == "Ops room 1"


@pytest.mark.parametrize("slug", ["lobby", "a", "2026-plans", "a_b", "x" * 64])
def test_slugs(slug: str) -> None:
    assert is_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "x" * 65,
        "Lobby",
        "lobby\n",
        "a.b",
        "../etc",
        "-a",
        "é",
        "٣",
        "a b",
        "a/b",
        "a%00",
        "new",
        "echo",
        "edit",
        "share",
        "board",
        "ticket",
        None,
        7,
    ],
)
def test_what_is_no_slug(slug: object) -> None:
    assert not is_slug(slug)
