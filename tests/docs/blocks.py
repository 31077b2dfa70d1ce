"""The blocks of code of the documentation, and what the comment before each says of it.

<!-- run by tests/x.py::test_y -->   that test runs it: from the page's own text, or as the very same command
<!-- file tests/foreign/site/x -->   these lines stand in that file, in this order; tests/foreign runs it
<!-- kept as x.yaml -->         later shell blocks of the page find it under this name
<!-- runs until stopped -->     it never ends by itself; it must say something
<!-- not run: why -->           it cannot be run here; NOT_RUN in test_blocks.py counts these
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.support.servers import ROOT

MARK = re.compile(r"<!--\s*(run by|file|kept as|runs until stopped|not run:)\s*(.*?)\s*-->")


@dataclass(frozen=True)
class Block:
    page: str  # from the root of the checkout
    line: int
    language: str
    text: str
    mark: str = ""
    about: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks() -> list[Block]:
    return [block for page in pages() for block in of_page(page)]


def of_page(page: Path) -> Iterator[Block]:
    """Its fenced blocks, in lists and quotes too, and indented ones without a language."""
    mark, about = "", ""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            yield Block(page.relative_to(ROOT).as_posix(), line, token.info.strip(), token.content, mark, about)
            mark, about = "", ""
        elif token.type == "html_block" and (found := MARK.fullmatch(token.content.strip())):
            mark, about = found[1], found[2]
        elif not token.type.endswith("_close"):
            mark, about = "", ""


def links(page: Path) -> Iterator[tuple[str, str]]:
    """(path, anchor) of every link and picture that leads into this checkout."""
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        for child in token.children or ():
            target = str(child.attrs.get("href") or child.attrs.get("src") or "")
            if target and not re.match(r"[a-z]+:", target):
                path, _, anchor = target.partition("#")
                yield path, anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
