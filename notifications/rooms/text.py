"""What people may write, and the HTML it becomes. Pure."""

import re
import unicodedata
from html import escape, unescape
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt

TITLE_LENGTH = 80
# Control characters do nothing good on a page or a terminal; line feed and tab are writing.
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
RESERVED_SLUGS = frozenset({"new", "echo", "edit", "share", "board", "ticket"})


class BadText(ValueError):
    """The text cannot be taken; the words say what would be right. `code` is for machines."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def clean(text: object, *, limit: int) -> str:
    """Return the text as it is stored: NFC, line feeds only, trimmed. Raises BadText."""
    if not isinstance(text, str):
        raise BadText("not_text", "A message is text.")
    # Before all work: normalising a huge text costs more than refusing it.
    if len(text) > 8 * limit:
        raise _too_long(limit)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadText("bad_text", "Text may hold neither NUL nor lone surrogates.")
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROL.sub("\ufffd", text).strip()
    if not any(unicodedata.category(character)[0] not in "ZC" for character in text):
        raise BadText("empty", "There is nothing to read in it.")
    if len(text) > limit:
        raise _too_long(limit)
    return text


def clean_title(text: object) -> str:
    """A room's title: one line. Raises BadText."""
    return " ".join(clean(text, limit=TITLE_LENGTH).split())


def is_slug(text: object) -> bool:
    """Whether this may be a room's address: `a-z 0-9 _ -`, at most 64, not one of our own pages."""
    return isinstance(text, str) and _SLUG.fullmatch(text) is not None and text not in RESERVED_SLUGS


def is_emoji(text: object) -> bool:
    """Whether this is one sign to react with: a pictograph, with what joins and colours it, and no writing."""
    if not isinstance(text, str) or not 0 < len(text) <= 16 or unicodedata.category(text[0]) != "So":
        return False
    return all(unicodedata.category(character) in _IN_EMOJI for character in text)


_IN_EMOJI = frozenset({"So", "Sk", "Mn", "Cf"})  # pictographs, skin tones, the variation selector, the joiner


def _too_long(limit: int) -> BadText:
    return BadText("too_long", f"At most {limit} characters.")


# --- Markdown ---

_TAGS = {"a", "p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li"}
# The star is needed: without it nh3 lets `title` and `lang` pass everywhere.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


def _is_safe_link(url: str) -> bool:
    """Absolute, of a known scheme, and without the spellings that make one host look like another."""
    if "\\" in url or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and (parts.scheme == "mailto" or bool(parts.hostname)) and "@" not in parts.netloc


def _reader() -> MarkdownIt:
    reader = MarkdownIt("zero", {"breaks": True, "linkify": True})
    reader.enable(["emphasis", "strikethrough", "backticks", "fence", "list", "blockquote", "newline", "escape"])
    reader.enable(["link", "autolink", "linkify"])
    assert reader.linkify is not None
    reader.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    reader.validateLink = _is_safe_link  # type: ignore[method-assign]
    return reader


_markdown = _reader()


def to_html(text: str) -> str:
    """The Markdown subset of rooms as HTML that is safe on every page: no id, class, style, event or htmx attribute survives."""
    html = nh3.clean(
        _markdown.render(text).strip(),
        tags=_TAGS,
        clean_content_tags=set(),
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="nofollow noopener noreferrer",
    )
    # Markup alone (`>>>`, an unclosed fence) would be an empty line that nobody can read: show it as it was typed.
    return html if nh3.clean(html, tags=set()).strip() else f"<p>{escape(text)}</p>"


def excerpt(html: str, *, limit: int = 120) -> str:
    """The words of a rendered message on one line."""
    words = " ".join(unescape(nh3.clean(html, tags=set())).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
