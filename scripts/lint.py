"""`make lint`: what can be said about the code without running it. Runs every check and names those that failed."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from core import frontend

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "notifications", "dashboard", "workers", "signalbox")
CODE = (*PACKAGES, "scripts", "tests", "manage.py")
LIVE_JS_LIMIT = 8 * 1024  # bytes, gzip
PINNED = (*(f"requirements{part}.txt" for part in ("", "-server", "-embedded", "-dev")), "package.json", "package-lock.json")

# What the CSP would block: inline handlers, styles and scripts. Django's and htmx's own attributes are fine.
_HANDLER, _STYLE = r"<[^>]*?\s(?:style|on[a-z]+)\s*=", r"<style\b"
_SCRIPT = r"<script(?![^>]*\ssrc=)(?![^>]*type=[\"']application/json)"
INLINE = re.compile(rf"{_HANDLER}|{_STYLE}|{_SCRIPT}|\bhx-on[:-]|javascript:", re.I)
TEMPLATE_CODE = re.compile(r"{#.*?#}|{%\s*comment.*?endcomment\s*%}|<!--.*?-->", re.S)
MAILS = {"notifications/mail.html"}  # no pages: no policy holds there, and no mail program fetches a style sheet
ADDRESS = re.compile(r"://|file:|\"resolved\"|--(?:index|extra-index|find-links)", re.I)


def main() -> int:
    checks: dict[str, Callable[[], bool]] = {
        "ruff": lambda: _run(_tool("ruff", "check", *CODE)),
        "format": lambda: _run(_tool("ruff", "format", "--check", *CODE)),
        "types": lambda: _run(_tool("mypy", *PACKAGES)),
        "imports": lambda: _run([str(Path(sys.executable).parent / "lint-imports")]),
        "migrations": lambda: _run([sys.executable, "manage.py", "makemigrations", "--check", "--dry-run", "--verbosity", "1"]),
        "expand and contract": lambda: _run([sys.executable, "-m", "scripts.migrations"]),
        "templates": lambda: _report(_bad_templates()),
        "javascript": lambda: _report(_bad_scripts()),
        "addresses": lambda: _report(addresses(ROOT)),
    }
    failed = [name for name, check in checks.items() if not check()]
    print(f"lint: {'FAILED: ' + ', '.join(failed) if failed else 'clean'}")
    return 1 if failed else 0


def addresses(root: Path) -> Iterator[str]:
    """Lines of files that pin packages and hold an address: they must not depend on where packages are fetched from."""
    for name in PINNED:
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            if ADDRESS.search(line):
                yield f"{name}:{number}: {line.strip()}"


def inline_code(text: str) -> Iterator[tuple[int, str]]:
    """(line number, text) of what a strict CSP would block in a template."""
    blank = TEMPLATE_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in INLINE.finditer(blank):
        yield blank.count("\n", 0, match.start()) + 1, match[0]


def _bad_templates() -> Iterator[str]:
    """Templates that do not compile, or hold what the CSP blocks."""
    import django
    from django.template import TemplateSyntaxError, loader

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    folder = ROOT / "templates"
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".html", ".txt", ".svg"}):
        name = path.relative_to(folder).as_posix()
        try:
            loader.get_template(name)
        except TemplateSyntaxError as error:
            yield f"templates/{name}: {error}"
        for line, what in () if name in MAILS else inline_code(path.read_text()):
            yield f"templates/{name}:{line}: the CSP blocks {what!r}"


def _bad_scripts() -> Iterator[str]:
    """Scripts with syntax errors, and live.js when it is over its size."""
    node = frontend.node_program()
    scripts = [path for package in PACKAGES for path in (ROOT / package).glob("**/static/**/*.js")]
    for path in sorted(scripts):
        if node and subprocess.run([node, "--check", str(path)], capture_output=True).returncode:
            yield f"{path.relative_to(ROOT)}: not valid JavaScript"
    core = [ROOT / "core" / "static" / "core" / f"{name}.js" for name in ("live", "position", "channel", "socket", "regions")]
    if (size := len(gzip.compress(b"".join(path.read_bytes() for path in core), mtime=0))) > LIVE_JS_LIMIT:
        yield f"live.js and what it imports are {size} bytes gzipped; their limit is {LIVE_JS_LIMIT}"


def _tool(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _run(command: list[str]) -> bool:
    sys.stdout.flush()
    return subprocess.run(command, cwd=ROOT).returncode == 0


def _report(found: Iterator[str]) -> bool:
    lines = list(found)
    for line in lines:
        print(line)
    return not lines


if __name__ == "__main__":
    sys.exit(main())
