"""`compose.yaml` without a container engine: each service's very command and environment as processes of this machine, on loopback.

What a container would bring is put in its place, and nothing else: the names of hosts become ports here, Postgres and Valkey are real
servers of the tests, and nginx is Debian's with the template filled in as the image does it.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support import machine
from tests.support.certificates import certify
from tests.support.servers import ROOT, Process, Web, accepts, clean_environment, free_port, wait_until

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)((?:[^{}]|\{[^{}]*\})*))?\}")


def read(text: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose reads it where these variables stand in `.env`, which `env_file` hands on to containers too.

    Raises KeyError with the file's own words where one must be set and is not.
    """

    def value(match: re.Match[str]) -> str:
        name, how, rest = match.groups()
        if how == ":?" and not given.get(name):
            raise KeyError(rest)
        return given.get(name) or (str(filled_in(rest)) if how == ":-" else "")

    def filled_in(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: filled_in(one) for key, one in part.items()}
        if isinstance(part, list):
            return [filled_in(one) for one in part]
        return _VARIABLE.sub(value, part) if isinstance(part, str) else part

    stack = dict(filled_in(yaml.safe_load(text)))
    for service in stack["services"].values():
        if service.get("env_file"):
            assert service["env_file"] == [{"path": ".env", "required": False}]
            service["environment"] = {**given, **service["environment"]}
    return stack


@dataclass
class Stack:
    """All services on this machine. `webs` are the replicas, `proxy` is where people come in."""

    folder: Path
    database: str
    redis: str
    variables: dict[str, str] = field(default_factory=dict)
    webs: list[Web] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        given = {"SECRET_KEY": "s" * 50, "POSTGRES_PASSWORD": "p", "BASE_URL": self.url, **self.variables}
        self.services: dict[str, Any] = read((ROOT / "compose.yaml").read_text(), given)["services"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live/ws"

    def environment(self, service: str, **more: str) -> dict[str, str]:
        stated = {name: self._here(str(value)) for name, value in self.services[service]["environment"].items()}
        return {**clean_environment(), **stated, "DATA_DIR": str(self.folder / "data"), **more}

    def process(self, service: str, command: list[str] | None = None, **more: str) -> Process:
        arguments = [sys.executable if word == "python" else self._here(word) for word in command or self.services[service]["command"]]
        return Process(arguments, self.folder / f"{service}.log", self.environment(service, **more))

    def run(self, service: str, command: list[str] | None = None, **more: str) -> int:
        """Run a service's command, or another one in its place, to its end. Returns the exit code."""
        process = self.process(service, command, **more)
        process.start()
        assert process.child is not None
        return process.child.wait(120)

    def web(self, port: int, **more: str) -> Web:
        one = self.process("web", HOST="127.0.0.1", PORT=str(port), **more)
        return Web(one.arguments, self.folder / f"web-{port}.log", one.environment, port=port)

    def _here(self, text: str) -> str:
        """The same text with this machine's addresses in the place of the containers' names."""
        if "@postgres:5432/" in text:
            return self.database
        return text.replace("redis://valkey:6379/0", self.redis).replace("0.0.0.0", "127.0.0.1")

    def nginx(self, **instead: str) -> Process:
        """Debian's nginx with our filled-in template; `instead` of what it is filled in with here."""
        folder = self.folder / "nginx"
        (folder / "tls").mkdir(parents=True)
        stated = dict(self.services["nginx"]["environment"])
        assert set(stated) == {"LISTEN", "WEB", "RESOLVER", "STATIC", "TLS"}, (
            "the template's variables, which this puts others in the place of"
        )
        here = {"LISTEN": f"127.0.0.1:{self.port}", "WEB": "web", "RESOLVER": "127.0.0.1"}
        here |= {"STATIC": str(self.folder / "data" / "static"), "TLS": str(folder / "tls"), **instead}
        site = _filled_in((ROOT / "scripts" / "nginx.conf.template").read_text(), here)
        # As with the image's resolver, which forgets from request to request who did not answer.
        servers = "".join(f"server 127.0.0.1:{web.port} max_fails=0; " for web in self.webs)
        return _nginx(folder, f"upstream web {{ {servers} }}\n{site}", log=self.folder / "nginx.log")


def load_balancer(folder: Path, *, port: int, to: int) -> Process:
    """Somebody's proxy in front of ours: it ends TLS, and calls by http."""
    folder.mkdir()
    key, certificate = certify(folder)
    told = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"
    upgrades = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;"
    server = f"listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
    where = f"location / {{ proxy_pass http://127.0.0.1:{to}; }}"
    return _nginx(folder, f"server {{ {server} {told} {upgrades} proxy_set_header Host $http_host; {where} }}", log=folder / "log")


def _nginx(folder: Path, site: str, *, log: Path) -> Process:
    """Debian's nginx with the image's frame around `site`."""
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/error.log;\nevents {{ worker_connections 1024; }}\n"
        f"http {{ include /etc/nginx/mime.types; {temporary} access_log off;\n{site}\n}}\n"
    )
    program = machine.nginx_program()
    assert program, "apt install nginx"
    return Process([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], log)


def _filled_in(template: str, values: Mapping[str, str]) -> str:
    """As the image's entry point does it."""
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)


@contextmanager
def compose_up(folder: Path, *, database: str, redis: str) -> Iterator[Stack]:
    """`docker compose up`: migrate to its end, then everything else, until the web processes answer through nginx."""
    stack = Stack(folder, database, redis)
    with ExitStack() as running:
        assert stack.run("migrate") == 0, (folder / "migrate.log").read_text()
        stack.webs = [stack.web(free_port()) for _ in range(stack.services["web"]["deploy"]["replicas"])]
        nginx = stack.nginx()
        for process in (*stack.webs, stack.process("worker"), stack.process("beat"), nginx):
            running.callback(process.stop)
            process.start()
        wait_until(lambda: accepts(stack.port), described="nginx", log=nginx.log)
        yield stack
