"""Debian's Redis as production has it: with TLS, or a master and its replica with Sentinels that watch them. Each ends with its `with`."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests.support import machine
from tests.support.certificates import certify
from tests.support.servers import Process, accepts, free_port, wait_until

MASTER = "signalbox"


@dataclass
class Redis(Process):
    port: int = 0
    certificate: Path | None = None  # where it speaks TLS only

    def client(self, **options: Any) -> "redis.Redis[str]":
        secured: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(self.certificate)} if self.certificate else {}
        return redis.Redis(host="127.0.0.1", port=self.port, decode_responses=True, **secured, **options)


@contextmanager
def _redis(name: str, *options: str, port: int, certificate: Path | None = None) -> Iterator[Redis]:
    program = machine.redis_program()
    assert program, "apt install redis-server"
    folder = Path(tempfile.mkdtemp(prefix=f"sb-{name}-"))
    (folder / "conf").write_text("\n".join((f"dir {folder}", *options)) + "\n")
    sentinel = ["--sentinel"] if name == "sentinel" else []
    server = Redis([program, str(folder / "conf"), *sentinel], folder / "log", port=port, certificate=certificate)
    try:
        server.start()
        wait_until(lambda: accepts(port), described=name, log=server.log)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def start_redis_with_tls(folder: Path) -> Iterator[tuple[str, Redis]]:
    """One that speaks TLS only. Gives its address, with the certificate that is to be trusted, and the server."""
    key, certificate = certify(folder)
    port = free_port()
    tls = (f"tls-port {port}", f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {certificate}")
    with _redis("redis", "port 0", "bind 127.0.0.1", 'save ""', "tls-auth-clients no", "requirepass hunter22", *tls, port=port) as server:
        yield f"rediss://:hunter22@127.0.0.1:{port}/0?ssl_ca_certs={certificate}", server


@dataclass
class Watched:
    """A master, a replica and three Sentinels of which two must agree that the master is dead."""

    servers: list[Redis] = field(default_factory=list)
    sentinels: list[Redis] = field(default_factory=list)

    certificate: Path | None = None

    @property
    def url(self) -> str:
        scheme, query = ("rediss", f"?ssl_ca_certs={self.certificate}") if self.certificate else ("redis", "")
        return f"{scheme}+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{MASTER}/0{query}"

    def master(self) -> Redis:
        """Whom the Sentinels name."""
        found: Any = self.sentinels[0].client().sentinel_get_master_addr_by_name(MASTER)
        return next(server for server in self.servers if server.port == int(found[1]))


@contextmanager
def start_watched_redis(*, tls: Path | None = None) -> Iterator[Watched]:
    """With `tls`, a folder for the certificate, all of them speak TLS only, to each other too."""
    key, certificate = certify(tls) if tls else (None, None)
    watched = Watched(certificate=certificate)
    plain = ("bind 127.0.0.1", 'save ""')
    files = (f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {certificate}")

    def listens(port: int) -> tuple[str, ...]:
        return ("port 0", f"tls-port {port}", "tls-auth-clients no", "tls-replication yes", *files) if certificate else (f"port {port}",)

    with ExitStack() as running:
        ports = [free_port() for _ in range(5)]
        for number, port in enumerate(ports[:2]):
            follows = (f"replicaof 127.0.0.1 {ports[0]}",) if number else ()
            quick = ("repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
            options = (*listens(port), *plain, *quick, *follows)
            watched.servers.append(running.enter_context(_redis("redis", *options, port=port, certificate=certificate)))
        watches = (
            f"sentinel monitor {MASTER} 127.0.0.1 {ports[0]} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
        )
        for port in ports[2:]:
            options = (*listens(port), "bind 127.0.0.1", *watches)
            watched.sentinels.append(running.enter_context(_redis("sentinel", *options, port=port, certificate=certificate)))
        for sentinel in watched.sentinels:
            wait_until(lambda sentinel=sentinel: _sees_all(sentinel), described="the Sentinels to know each other and the replica")
        yield watched


def _sees_all(sentinel: Redis) -> bool:
    known: Any = sentinel.client().sentinel_master(MASTER)
    return bool(known["num-other-sentinels"] == 2 and known["num-slaves"] == 1)
