"""What `make lint` holds: contracts between packages, no addresses in locks, nothing in templates that the CSP blocks."""

import subprocess
import sys
from pathlib import Path

import pytest
from grimp import ImportGraph

from scripts import lint
from scripts.contracts import ImportedOnlyBy, ImportsOnly
from tests.support.servers import ROOT


def test_nobody_imports_what_he_may_not():
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def graph(*imports: tuple[str, str]) -> ImportGraph:
    made = ImportGraph()
    for importer, imported in imports:
        for module in (importer, imported):
            made.add_module(module) if module not in made.modules else None
        made.add_import(importer=importer, imported=imported)
    return made


def contract(kind: type, **options: object):
    """Without its options being read from a file: import-linter trips there over what Twisted hangs on every class."""
    made = kind.__new__(kind)
    vars(made).update(options)
    return made


def test_a_pure_file_that_imports_django_breaks_its_contract():
    pure = contract(ImportsOnly, modules=["core.wire"], allowed=["msgspec"])
    assert pure.check(graph(("core.wire", "json"), ("core.wire", "msgspec")), verbose=False).kept
    assert not pure.check(graph(("core.wire", "django")), verbose=False).kept


def test_a_package_that_is_imported_by_a_stranger_breaks_its_contract():
    channels = contract(ImportedOnlyBy, module="channels", importers=["core.delivery.hub"])
    assert channels.check(graph(("core.delivery.hub", "channels")), verbose=False).kept
    assert not channels.check(graph(("core.views", "channels")), verbose=False).kept


def test_no_lock_and_no_requirements_file_holds_an_address():
    assert list(lint.addresses(ROOT)) == []


@pytest.mark.parametrize("line", ['"resolved": "x"', "x @ https://example.com/x.whl", "--index-url x", "git+ssh://x", "-e file:x"])
def test_an_address_is_found(tmp_path: Path, line: str):
    for name in lint.PINNED:
        (tmp_path / name).write_text("fine==1.0\n")
    (tmp_path / "requirements.txt").write_text(f"fine==1.0\n{line}\n")
    assert list(lint.addresses(tmp_path)) == [f"requirements.txt:2: {line}"]


def test_every_requirement_is_pinned():
    for name in lint.PINNED[:4]:
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r "))]
        assert all("==" in line for line in lines), name


BLOCKED = [
    '<p style="color: red">',
    "<a\n  href='/' onclick='x()'>",
    "<style>p {}</style>",
    "<script>alert(1)</script>",
    '<button hx-on:click="x()">',
    '<a href="javascript:x()">',
]
FINE = [
    '<script src="/x.js" defer></script>',
    '<script type="application/json" id="points">[1]</script>',
    '<p class="style" data-style="age">on time = now</p>',
    '<button hx-post="/x/" hx-target="#one">',
    '{# <p style="x"> #}',
    '{% comment %}<p style="x">{% endcomment %}',
]


@pytest.mark.parametrize("text", BLOCKED)
def test_what_the_policy_blocks_is_found_in_a_template(text: str):
    assert [line for line, _ in lint.inline_code(f"\n\n{text}")] == [3]


@pytest.mark.parametrize("text", FINE)
def test_what_the_policy_lets_through_is_not(text: str):
    assert list(lint.inline_code(text)) == []


def test_no_machine_path_is_committed():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    ours = (".py", ".js", ".css", ".html", ".sh", ".toml", ".yaml", ".json", ".md", "Makefile", "Dockerfile")
    code = [ROOT / name for name in files if name.endswith(ours)]
    paths = ["/" + "work/", "/" + "root/", "/" + "tmp/setup"]
    assert [path for path in code if path.exists() for machine in paths if machine in path.read_text()] == []
