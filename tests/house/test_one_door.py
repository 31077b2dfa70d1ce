"""Strangers are called through one door, core/outbound.py: whatever else could open a connection is named here, with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PACKAGES = ("core", "notifications", "dashboard", "workers", "signalbox")

NOBODY = {
    *("httpx", "requests", "aiohttp", "urllib.request", "urllib3", "ftplib", "poplib", "imaplib", "nntplib", "telnetlib", "xmlrpc"),
    *("socketserver", "paramiko", "dns", "websocket", "pycurl", "treq", "webbrowser", "socks", "valkey", "asyncssh"),
}
NOBODY_CALLS = {
    *("open_connection", "open_unix_connection", "create_connection", "create_unix_connection", "create_datagram_endpoint"),
    *("sock_connect", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "urlopen", "urlretrieve"),
    *("connectTCP", "connectSSL"),
}
# Modules that open connections, or look names up. Who imports one, or a part of one, says here why: none of these goes where a user says.
OURS = "our own server, by its address in the settings"
LISTENS = "it listens, and calls nobody"
NAMES_ONLY = "its errors and types alone"
MODULES: dict[str, dict[str, str]] = {
    "httpcore": {"core/outbound.py": "the door itself"},
    "ssl": {"core/outbound.py": "the door itself", "core/doctor.py": NAMES_ONLY},
    "socket": {
        "core/outbound.py": "the door itself",
        "core/server.py": LISTENS,
        "core/management/commands/serve.py": LISTENS,
        "core/run.py": "a Unix socket: whether the embedded Valkey answers",
        "core/redis_addresses.py": OURS,
        "workers/schedule.py": "this machine's name",
        "core/delivery/report.py": "this machine's name",
    },
    "http.client": {"core/doctor.py": "BASE_URL, which is ourselves, asked as a browser would"},
    "smtplib": {"notifications/transports/email.py": NAMES_ONLY},
    "redis": {
        "core/redis_addresses.py": OURS,
        "core/health.py": NAMES_ONLY,
        "core/logs.py": NAMES_ONLY,
        "core/run.py": OURS,
        "dashboard/sources/health.py": NAMES_ONLY,
    },
    "kombu": {"workers/celery.py": OURS, "workers/admin.py": NAMES_ONLY, "dashboard/sources/celery_queues.py": OURS},
    "psycopg": {"core/databases.py": NAMES_ONLY, "core/env.py": NAMES_ONLY},
    "pywebpush": {"notifications/transports/push.py": "seals the message; core.outbound carries it"},
    "websockets": {"core/uvicorn_protocol.py": LISTENS},
    "twisted": {"core/server.py": LISTENS},
    **{name: {} for name in NOBODY},
}
# Methods that open connections or look names up, whatever they are called on: asyncio's and its loops', and the sockets' own.
CALLS: dict[str, dict[str, str]] = {
    "getaddrinfo": {"core/outbound.py": "the door itself"},
    "connect_tcp": {"core/outbound.py": "the door itself"},
    "connect_ex": {"core/run.py": "a Unix socket: whether the embedded Valkey answers"},
    **{name: {} for name in NOBODY_CALLS},
}


def files() -> Iterator[Path]:
    yield ROOT / "manage.py"
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def modules(source: str) -> set[str]:
    """The modules that this source takes in: by import lines at any depth, and by import_module, import_string and their kin."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in {"import_module", "import_string", "__import__", "find_spec"}:
                found |= {one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def opened(source: str) -> set[str]:
    """Which of MODULES and CALLS this source uses."""
    names = modules(source)
    taken = {known for known in MODULES if any(name == known or name.startswith(f"{known}.") for name in names)}
    tree = ast.walk(ast.parse(source))
    return taken | {node.attr for node in tree if isinstance(node, ast.Attribute) and node.attr in CALLS}


def test_strangers_are_called_through_one_door():
    users: dict[str, set[str]] = {name: set() for name in (*MODULES, *CALLS)}
    for file in files():
        for name in opened(file.read_text()):
            users[name].add(file.relative_to(ROOT).as_posix())
    assert users == {name: set(allowed) for name, allowed in (MODULES | CALLS).items()}


def test_every_exception_says_why():
    assert all(why.strip() for allowed in (MODULES | CALLS).values() for why in allowed.values())


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import socket", "socket"),
        ("def f():\n    from http import client", "http.client"),
        ("import http.client as quiet", "http.client"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("import urllib3.util", "urllib3"),
        ("if x:\n    import httpx", "httpx"),
        ("from requests import get", "requests"),
        ("import smtplib", "smtplib"),
        ("import asyncio\nasyncio.open_connection('h', 80)", "open_connection"),
        ("loop.create_connection(f, 'h', 80)", "create_connection"),
        ("import_module('aiohttp.client')", "aiohttp"),
        ("django.utils.module_loading.import_string('requests.get')", "requests"),
    ],
)
def test_the_walk_sees_every_way_of_writing_it(source: str, name: str):
    assert name in opened(source)


def test_what_speaks_mail_goes_to_the_server_of_the_settings():
    """Django's mail opens a connection too: who uses it never says to which server."""
    for file in files():
        for node in ast.walk(ast.parse(file.read_text())):
            named = {keyword.arg for keyword in node.keywords} if isinstance(node, ast.Call) else set()
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
                "get_connection",
                "EmailBackend",
            }:
                assert not named & {"host", "port", "username"}, file
