"""The Markdown of broadcasts: as HTML for the page and for mail, as words for rows and toasts. Pure."""

from html import escape, unescape

import nh3
from markdown_it import MarkdownIt

from notifications.texts import is_safe_url

_TAGS = {"a", "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "h5"}
# The star is needed: without it nh3 lets `title` and `lang` pass everywhere. No id, class, style, hx-* or on*.
_ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
_reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough").disable("image")
_BLOCKS = ("</p>", "</li>", "<br>", "</h3>", "</h4>", "</h5>", "</pre>", "</blockquote>", "<hr>")


def html(text: str, *, base: str = "") -> str:
    """The text as HTML of a few plain tags that nothing can be smuggled through. Headings begin below the page's own.

    `base`: this site's address, put before links to its own paths: where it is read elsewhere, as in a mail.
    """

    def checked(tag: str, attribute: str, value: str) -> str | None:
        if attribute != "href":
            return value
        return None if not is_safe_url(value) else base + value if value.startswith("/") else value

    made = _reader.render(text)
    for level in (3, 2, 1):
        made = made.replace(f"<h{level}>", f"<h{level + 2}>").replace(f"</h{level}>", f"</h{level + 2}>")
    kept = nh3.clean(
        made, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https"}, attribute_filter=checked, link_rel="noopener noreferrer"
    ).strip()
    # Markup alone would be an empty line that nobody can read: show it as it was typed.
    return kept if not text or nh3.clean(kept, tags=set()).strip() else f"<p>{escape(text)}</p>"


def words(text: str) -> str:
    """What it says, without its marks: a line for each block."""
    made = html(text)
    for end in _BLOCKS:
        made = made.replace(end, f"{end}\n")
    lines = unescape(nh3.clean(made, tags=set())).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
