"""The documentation's code really runs, and its links lead somewhere."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone

from core.live import LivePositions
from core.tokens import make_token
from dashboard.actions import save_dashboard, save_widget
from dashboard.models import Dashboard, Widget
from tests.docs.blocks import Block, anchors, blocks, links, of_page, pages
from tests.support import servers
from tests.support.servers import ROOT
from workers.celery import app as celery

ALL = blocks()
# Pages whose blocks no machine can run by itself, and how many of them. A new one needs a reason in the page and a line here.
NOT_RUN = {
    "docs/tutorial.md": 1,
    "docs/care.md": 2,
    "docs/production.md": 1,
    "docs/outbound.md": 1,
    "docs/how-to/from-sqlite-to-postgres.md": 1,
}
# Pages whose indented commands another test reads and runs.
INDENTED = {"docs/care.md": "tests/core/test_restore.py"}
SHELL, PYTHON, TEMPLATE, DATA = ("sh", "bash"), ("python",), ("django", "html"), ("yaml", "json", "ini")
# The board that the pages speak of: slug -> kind.
OPS = {"queue": "stat", "users": "stat", "load": "timeseries", "events": "feed", "import": "progress"}


def read_ini(text: str) -> list[str]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser.sections()


READERS: dict[str, Callable[[str], object]] = {"yaml": yaml.safe_load, "json": json.loads, "ini": read_ini}


def run_here(languages: tuple[str, ...]) -> list[Block]:
    return [block for block in ALL if block.language in languages and block.mark in ("", "kept as", "runs until stopped")]


def by_page(languages: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, id=name) for name in dict.fromkeys(block.page for block in run_here(languages))]


# --- what stands on the pages ---


def test_every_block_has_a_language_that_is_run():
    strange = [
        f"{block}: {block.language!r}" for block in ALL if block.language not in (*SHELL, *PYTHON, *TEMPLATE, *DATA, "js", "text", "")
    ]
    assert strange == []


def test_a_block_without_a_language_is_a_drawing_and_no_code():
    code = re.compile(r"^\s*(\$|curl|docker|pip|python|make|manage\.py|import|from|\{%|[a-z_]+\(.*\)$)", re.M)
    drawings = [block for block in ALL if block.language in ("", "text") and block.page not in INDENTED]
    assert [str(block) for block in drawings if code.search(block.text)] == []
    assert [page for page, test in INDENTED.items() if page not in (ROOT / test).read_text()] == []


def test_what_is_not_run_is_on_the_short_list():
    assert dict(Counter(block.page for block in ALL if block.mark == "not run:")) == NOT_RUN
    assert all(len(block.about) > 10 for block in ALL if block.mark == "not run:")


@pytest.mark.parametrize("block", [block for block in ALL if block.mark == "run by"], ids=str)
def test_what_another_test_runs_has_that_test(block: Block):
    file, _, name = block.about.partition("::")
    assert re.search(rf"def {name}\(", (ROOT / file).read_text())


@pytest.mark.parametrize("block", [block for block in ALL if block.mark == "file"], ids=str)
def test_what_stands_in_a_file_stands_there_in_this_order(block: Block):
    there = iter((ROOT / block.about).read_text().splitlines())
    assert [line for line in block.text.splitlines() if line.strip() and line not in there] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path):
    lost = []
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(f"{path}#{anchor}" if anchor else path)
    assert lost == []


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / path).resolve() for path, _ in links(index)}
    assert [page.name for page in pages() if page not in (index, ROOT / "README.md") and page not in named] == []


# --- Python ---


@pytest.fixture
def board(alice: Any, bob: Any) -> Dashboard:
    """alice, bob in ops, and the board `ops` with what the pages send to it."""
    return make_board(alice)


def make_board(owner: Any) -> Dashboard:
    board = Dashboard(slug="ops", title="Ops", owner=owner)
    save_dashboard(board)
    for slug, kind in OPS.items():
        save_widget(Widget(dashboard=board, slug=slug, kind=kind, title=slug))
    shop = Dashboard(slug="shop", title="Shop", owner=owner)
    save_dashboard(shop)
    save_widget(Widget(dashboard=shop, slug="orders", kind="stat", title="Open orders"))
    return board


@pytest.fixture
def names(board: Dashboard) -> Iterator[dict[str, Any]]:
    """What the pages' code may speak of without saying where it is from."""
    request = RequestFactory().get("/")
    request.user = get_user_model().objects.get(username="alice")
    now = timezone.now()
    celery.conf.task_always_eager = True
    yield {"__name__": "page", "request": request, "now": now, "history": [(now, 0.5)]}
    celery.conf.task_always_eager = False


def execute(page: str, names: dict[str, Any]) -> None:
    """One page's blocks, one after the other, in one namespace, as a reader would type them."""
    for block in run_here(PYTHON):
        if block.page == page:
            padded = "\n" * block.line + block.text
            exec(compile(padded, str(ROOT / page), "exec"), names)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", by_page(PYTHON))
def test_python_runs(page: str, names: dict[str, Any], undone: None):
    if page == "README.md":  # makes its board itself
        Dashboard.objects.all().delete()
    execute(page, names)


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Receivers, kinds, sources and categories that a page adds are gone after it."""
    from django.db.models.signals import post_save

    from core import jobs, persons
    from core.delivery.channel import registry
    from dashboard.sources import function
    from notifications import categories
    from notifications.transports import base

    holders: tuple[dict[str, Any], ...] = (
        jobs._jobs,
        registry.kinds,
        function._functions,
        categories._declared,
        base._registered,
        persons._parts,
    )
    kept = [(holder, dict(holder)) for holder in holders]
    receivers = list(post_save.receivers)
    yield
    jobs.wait_until_idle()
    for holder, before in kept:
        holder.clear()
        holder.update(before)
    post_save.receivers = receivers
    post_save.sender_receivers_cache.clear()


# --- templates and data ---


@pytest.mark.django_db
@pytest.mark.parametrize("block", run_here(TEMPLATE), ids=str)
def test_a_template_renders(block: Block, alice: Any):
    for user in (alice, AnonymousUser()):
        request = RequestFactory().get("/rooms/")
        request.user = user
        request.live = LivePositions(request)
        request.live.read()
        rendered = engines["django"].from_string(block.text).render({}, request)
        assert "<" in rendered


@pytest.mark.parametrize("block", run_here(DATA), ids=str)
def test_data_can_be_read(block: Block):
    assert READERS[block.language](block.text)


# --- shell ---


@dataclass(frozen=True)
class Live:
    site: servers.Site
    url: str
    token: str

    def environment(self, folder: Path) -> dict[str, str]:
        """A shell in which `python` is ours and a curl that fails says so."""
        tools = folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tools / "python").chmod(0o755)
        (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        search = f"{tools}{os.pathsep}{os.environ['PATH']}"
        return self.site.env(BASE_URL=self.url) | {"PATH": search, "HOME": str(folder), "TOKEN": self.token}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A Signalbox with the demo's people and the boards of the pages; one for all shell blocks."""
    site = servers.make_site(tmp_path_factory.mktemp("docs"))
    site.manage("demo")
    token = json.loads((site.folder / "demo.json").read_text())["token"]
    with site.web() as web:
        running = Live(site, web.url, token)
        for slug, widgets in {"ops": OPS, "shop": {"orders": "stat"}}.items():
            put(running, slug, {"title": slug, "widgets": [{"slug": name, "kind": kind, "title": name} for name, kind in widgets.items()]})
        yield running


def put(live: Live, slug: str, board: dict[str, Any]) -> None:
    answer = httpx.put(f"{live.url}/api/v1/dashboards/{slug}", json=board, headers={"Authorization": f"Bearer {live.token}"}, timeout=30)
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.skipif(not shutil.which("curl"), reason="NOT RUN: curl (apt install curl)")
@pytest.mark.parametrize("page", by_page(SHELL))
def test_shell_runs(page: str, live: Live, tmp_path: Path):
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    environment = live.environment(tmp_path)
    for block in of_page(ROOT / page):
        if block.mark == "kept as":
            (tmp_path / block.about).write_text(block.text)
        elif block in run_here(SHELL):
            shell(block, live, tmp_path, environment)


def shell(block: Block, live: Live, folder: Path, environment: dict[str, str]) -> None:
    """Run it where a reader would, but for the port. Every line must succeed."""
    endless = block.mark == "runs until stopped"
    text = block.text.replace("http://127.0.0.1:8000", live.url).replace("curl -N", "curl --max-time 2 -N" if endless else "curl -N")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == (28 if endless else 0), f"{block}\n{done.stdout}{done.stderr}"
    assert not endless or done.stdout


@pytest.mark.django_db
def test_the_board_of_a_page_is_one_that_is_taken(alice: Any, client: Any):
    """Every YAML that defines widgets is a board."""
    _, text = make_token(alice, "docs", ("dashboards",))
    for number, block in enumerate(block for block in run_here(("yaml",)) if "widgets:" in block.text):
        path, headers = f"/api/v1/dashboards/page-{number}", {"Authorization": f"Bearer {text}"}
        answer = client.put(path, data=block.text, content_type="application/yaml", headers=headers)
        assert answer.status_code in (200, 201), f"{block}: {answer.content.decode()}"
