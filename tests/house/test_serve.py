"""`manage.py serve`, on both servers: starting, refusing to start, stopping."""

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.support.servers import Site, Web, accepts, free_port, make_site, wait_until

SERVERS = ("daphne", "uvicorn")
NewSite = Callable[..., Site]


def get(address: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, {key.lower(): value for key, value in refused.headers.items()}, refused.read()


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Web]]:
    """A site and its web process, on each of the servers."""
    site = make_site(tmp_path_factory.mktemp("served"))
    with site.web(server=request.param) as web:
        yield site, web


def test_pages_and_static_files_are_served_without_debug(served: tuple[Site, Web]):
    _, web = served
    assert get(web.url + "/accounts/login/")[0] == 200
    status, headers, body = get(web.url + "/static/npm/htmx.org/dist/htmx.min.js")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert int(headers["content-length"]) == len(body)


def test_the_server_does_not_tell_its_name(served: tuple[Site, Web]):
    _, web = served
    assert "daphne" not in str(get(web.url + "/healthz")[1]).lower()
    assert "uvicorn" not in str(get(web.url + "/healthz")[1]).lower()


def test_a_taken_port_is_one_sentence(served: tuple[Site, Web]):
    site, web = served
    done = site.manage("serve", check=False, PORT=str(web.port), SERVER=(web.environment or {})["SERVER"])
    assert done.returncode == 1
    assert done.stderr == f"CommandError: Cannot listen on 127.0.0.1:{web.port}: Address already in use. Set PORT to a free port.\n"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_frees_the_port_and_no_query_string_is_in_its_log(new_site: NewSite, server: str, number: int):
    with new_site().web(server=server) as web:
        get(web.url + "/nowhere/?secret=hunter2")
        get(web.url + "/live/ws?secret=hunter2")
        assert web.stop(by=number) == 0
        assert not accepts(web.port)
    assert "Traceback" not in web.output()
    assert "hunter2" not in web.output()


def test_a_foreign_address_is_one_sentence(new_site: NewSite):
    done = new_site().manage("serve", check=False, HOST="203.0.113.1", PORT="8000")
    assert done.stderr.startswith("CommandError: Cannot listen on 203.0.113.1:8000: Cannot assign requested address.")


def test_a_database_without_tables_is_one_sentence(tmp_path):
    done = Site(tmp_path).manage("serve", check=False, PORT=str(free_port()))
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The database waits for ")
    assert done.stderr.endswith(" migrations: run `python manage.py prepare`.\n")


def test_an_unreachable_database_is_one_sentence(tmp_path):
    address = f"postgres://signalbox:hunter2@127.0.0.1:{free_port()}/none"
    for command in ("serve", "prepare", "demo"):
        done = Site(tmp_path, {"DATABASE_URL": address}).manage(command, check=False, PORT=str(free_port()))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "hunter2" not in done.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_several_processes_share_one_port_and_end_together(new_site: NewSite, server: str):
    with new_site().web(server=server, WEB_PROCESSES="2") as web:
        wait_until(lambda: web.output().count("Listening on") == 2, described="two processes", log=web.log)
        children = psutil.Process(web.pid).children(recursive=True)
        assert len(children) == 2
        children[0].kill()
        wait_until(lambda: web.output().count("Listening on") == 3, described="a third process", log=web.log)
        assert get(web.url + "/healthz")[0] == 200
        children = psutil.Process(web.pid).children(recursive=True)
        assert web.stop() == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_uvicorn_that_is_not_installed_is_one_sentence(new_site: NewSite, monkeypatch: pytest.MonkeyPatch):
    from django.core.management import CommandError

    from core.management.commands import serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    monkeypatch.setattr(serve.settings, "SERVER", "uvicorn")
    with pytest.raises(CommandError, match="needs uvicorn: run `pip install"):
        serve.Command().handle()


def test_plain_runserver_without_redis_serves_pages_and_says_what_is_missing(new_site: NewSite):
    site, port = new_site(), free_port()
    arguments = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    web = Web(arguments, site.folder / "runserver.log", site.env(PORT=str(port)), port=port)
    try:
        web.start()
        assert get(web.url + "/accounts/login/")[0] == 200
        assert get(web.url + "/static/core/live.js")[0] == 200
        status, _, body = get(web.url + "/readyz")
    finally:
        web.stop()
    assert status == 200
    assert b"redis" in body
