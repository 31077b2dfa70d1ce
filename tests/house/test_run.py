"""`make run`'s last step, `python -m core.run`: everything starts, dies, comes back and ends together."""

import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from core import beside
from tests.support.servers import ROOT, Process, Site, Web, fill, free_port, start_valkey, wait_until

pytestmark = [pytest.mark.valkey, pytest.mark.slow]
Run = Callable[..., Web]


@contextmanager
def starting(folder: Path) -> Iterator[Run]:
    """Start copies with a data folder each, wait for their web processes, and end them all."""
    started: list[Web] = []

    def start(name: str = "one", *, anew: bool = False, **environment: str) -> Web:
        port = free_port()
        site = Site(folder / name)
        if not anew:
            fill(site)  # else it makes its tables itself, which takes a while
        settings = site.env(PORT=str(port), BASE_URL=f"http://127.0.0.1:{port}", **environment)
        process = Web([sys.executable, "-m", "core.run"], folder / f"{name}.log", settings, port=port)
        started.append(process)
        process.start()
        wait_until(lambda: len(descendants(process)) >= 6, described="all processes", log=process.log)
        return process

    try:
        yield start
    finally:
        for process in started:
            children = descendants(process) if process.running else []
            process.stop(patience=25)
            for child in children:
                end(child)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A copy that was started in an empty folder, and runs on through all tests that leave it running."""
    with starting(tmp_path_factory.mktemp("first")) as start:
        yield start("first", anew=True)


def end(process: psutil.Process) -> None:
    if alive(process):
        process.kill()


def descendants(process: Process) -> list[psutil.Process]:
    """Valkey, web, worker and its pool of two, beat."""
    return psutil.Process(process.pid).children(recursive=True)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children(process: Process, word: str) -> list[psutil.Process]:
    """The supervisor's living children whose command line holds this word."""
    return [each for each in psutil.Process(process.pid).children() if alive(each) and word in command(each)]


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def child(process: Process, word: str) -> psutil.Process:
    (found,) = children(process, word)
    return found


def page(web: Web) -> int:
    with urllib.request.urlopen(web.url + "/accounts/login/", timeout=10) as answer:
        return int(answer.status)


def refusal(tmp_path: Path, **environment: str) -> str:
    """What a start that is refused says on its error output; it says it in one line and exits with 1."""
    process = Process([sys.executable, "-m", "core.run"], tmp_path / "refusal.log", Site(tmp_path / "refused").env(**environment))
    process.start()
    assert process.child is not None
    assert process.child.wait(30) == 1
    assert len(process.output().splitlines()) == 1, process.output()
    return process.output().strip()


def test_it_prints_how_to_sign_in_and_serves_pages(first: Web):
    web = first
    lines = web.output().splitlines()
    names = [line.split("  ")[0] for line in lines if line.endswith(("sends broadcasts", "in ops", "no rights"))]
    assert f"Signalbox: {web.url}/" in lines
    assert names == ["alice", "bob", "charlie"]
    assert page(web) == 200


def test_doctor_in_another_shell_asks_what_runs_here_by_the_addresses_that_it_has(first: Web, tmp_path: Path):
    site = Site(Path((first.environment or {})["DATA_DIR"]))
    wait_until(lambda: site.manage("doctor", "worker", "beat", check=False).returncode == 0, described="worker and beat", log=first.log)
    done = site.manage("doctor", "redis", "layer", "broker_of_jobs", "web", "sockets")
    assert done.stdout.count("fine") == 5 and f"{first.url} is a Signalbox that misses nothing" in done.stdout
    assert beside.told(tmp_path) == {}
    (tmp_path / "lock").write_text('{"PORT": "1"}')  # left by a run that ended
    assert beside.told(tmp_path) == {}


def test_whichever_process_is_killed_is_started_again(first: Web):
    web = first
    for word in ("manage.py serve", " worker -Q", " beat ", "valkey-server"):
        before = child(web, word)
        before.kill()
        wait_until(lambda word=word, before=before: [p for p in children(web, word) if p != before], described=word, log=web.log)
        wait_until(web.healthy, described="the web process", log=web.log)


def test_an_interrupt_leaves_no_orphan(run: Run):
    web = run()
    everybody = descendants(web)
    assert web.stop(by=signal.SIGINT, patience=25) == 0
    assert not [each for each in everybody if alive(each)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_supervisor_leaves_no_orphan(run: Run):
    web = run()
    everybody = descendants(web)
    os.kill(web.pid, signal.SIGKILL)
    wait_until(lambda: not [each for each in everybody if alive(each)], described="all processes to end", log=web.log)


def test_two_copies_run_side_by_side_and_the_one_that_is_told_to_end_leaves_no_orphan(first: Web, run: Run):
    other = run()
    assert (page(first), page(other)) == (200, 200)
    everybody, others = descendants(first), descendants(other)
    assert other.stop(patience=25) == 0
    assert not [each for each in others if alive(each)]
    assert page(first) == 200
    assert [each for each in everybody if alive(each)] == everybody


def test_with_a_redis_given_none_is_started(tmp_path: Path):
    with start_valkey() as valkey:
        site, port = Site(tmp_path / "given"), free_port()
        fill(site)
        settings = site.env(PORT=str(port), REDIS_URL=valkey.url, BASE_URL=f"http://127.0.0.1:{port}")
        web = Web([sys.executable, "-m", "core.run"], tmp_path / "given.log", settings, port=port)
        try:
            web.start()
            assert not any("valkey" in command(each) for each in descendants(web))
        finally:
            web.stop(patience=25)


def test_a_second_copy_on_the_same_folder_is_refused(first: Web, tmp_path: Path):
    said = refusal(tmp_path, PORT=str(free_port()), DATA_DIR=(first.environment or {})["DATA_DIR"])
    assert said.endswith("is in use by another Signalbox. Set DATA_DIR to another folder.")


def test_a_taken_port_is_refused(tmp_path: Path):
    with start_valkey() as other:
        said = refusal(tmp_path, PORT=str(other.port))
    assert said == f"signalbox: Cannot listen on 127.0.0.1:{other.port}: Address already in use. Set PORT to a free port."


def test_an_unreachable_redis_is_refused(tmp_path: Path):
    port = free_port()
    said = refusal(tmp_path, PORT=str(free_port()), REDIS_URL=f"redis://:hunter2@127.0.0.1:{port}/0")
    assert said.startswith(f"signalbox: REDIS_URL cannot be reached: Error 111 connecting to 127.0.0.1:{port}.")
    assert "hunter2" not in said


def test_an_unreachable_database_is_refused(tmp_path: Path):
    said = refusal(tmp_path, PORT=str(free_port()), DATABASE_URL=f"postgres://me:hunter2@127.0.0.1:{free_port()}/none")
    assert said.startswith("signalbox: The database cannot be used: ")
    assert "hunter2" not in said


def test_a_malformed_database_address_is_refused(tmp_path: Path):
    assert refusal(tmp_path, DATABASE_URL="nonsense").startswith("signalbox: DATABASE_URL is malformed")


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"
    assert refusal(tmp_path, DATA_DIR=str(folder)) == f"signalbox: DATA_DIR={folder} cannot be made: Not a directory."


def test_other_peoples_database_is_refused(tmp_path: Path):
    site = Site(tmp_path / "refused")
    fill(site)
    code = "import django; django.setup(); from django.contrib.auth import get_user_model as m; m().objects.create_user('zoe')"
    made = Process([sys.executable, "-c", code], tmp_path / "zoe.log", site.env(DJANGO_SETTINGS_MODULE="core.settings"))
    made.start()
    assert made.child is not None
    assert made.child.wait(30) == 0, made.output()
    assert "holds other people" in refusal(tmp_path, PORT=str(free_port()))


def test_the_containers_run_the_same_commands(tmp_path: Path):
    from core.run import programs

    compose = (ROOT / "compose.yaml").read_text().replace('", "', " ").replace('"', "")
    for program in programs(data_dir=tmp_path, redis_url="redis://localhost"):
        assert " ".join(["python", *program.command[1:]]) in compose
