"""Names in a message: `@alice`, `@here`. Pure: finds them in rendered Markdown, outside code and links, and sets them off."""

import re
from collections.abc import Callable, Collection

HERE = "here"
MOST = 20  # people whom one message can name

_TAG = re.compile(r"(<[^>]*>)")
# Not inside a word or an address: mail@example is none.
_NAME = re.compile(r"(?<![\w@/.&;+-])@([\w+.-]{1,150}(?:@[\w+.-]{1,150})?)")
_QUIET = {"code", "pre", "a"}


def names_in(html: str) -> list[str]:
    """What may be names, in their order. A name may end in what is punctuation there, so a word can give two."""
    found: dict[str, None] = {}

    def note(match: re.Match[str]) -> str:
        for name in _readings(match[1]):
            found[name] = None
        return match[0]

    _in_words(html, note)
    return list(found)[: 2 * MOST]


def marked(html: str, names: Collection[str]) -> str:
    """The same HTML with these names set off."""

    def mark(match: re.Match[str]) -> str:
        for name in _readings(match[1]):
            if name in names:
                return f'<b class="mention">@{name}</b>{match[1][len(name) :]}'
        return match[0]

    return _in_words(html, mark) if names else html


def _readings(word: str) -> list[str]:
    """`bob.` is bob, or somebody whose name ends in a dot."""
    return list(dict.fromkeys([word, word.rstrip(".+-"), word.split("@")[0].rstrip(".+-")]))


def _in_words(html: str, change: Callable[[re.Match[str]], str]) -> str:
    """Change names in the text of HTML that the sanitiser wrote, and in nothing else of it."""
    parts, depth = _TAG.split(html), 0
    for index, part in enumerate(parts):
        if index % 2:
            name = part.strip("</>").split(" ")[0]
            if name in _QUIET:
                depth += -1 if part.startswith("</") else 1
        elif not depth and "@" in part:
            parts[index] = _NAME.sub(change, part)
    return "".join(parts)
