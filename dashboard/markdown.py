"""Markdown of people who may edit a board, as HTML that nothing can be smuggled through. Pure."""

from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt

_TAGS = {"a", "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "h5"}
_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
# The star is needed: without it nh3 lets `title` and `lang` pass everywhere. No id, style, class, hx-* or on*.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
_READER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")


def html(text: str) -> str:
    """The text as HTML of a few plain tags. Headings begin below the tile's own."""
    made = _READER.render(text)
    for level in (3, 2, 1):
        made = made.replace(f"<h{level}>", f"<h{level + 2}>").replace(f"</h{level}>", f"</h{level + 2}>")
    kept = nh3.clean(
        made,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_checked,
        link_rel="noopener noreferrer",
    )
    return kept.strip()


def _checked(tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _is_safe(value) else None


def _is_safe(url: str) -> bool:
    """Of this site (`/rooms/`), or absolute; without the spellings that make one host look like another."""
    if "\\" in url or not url.isprintable():
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "mailto" or (parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc)
