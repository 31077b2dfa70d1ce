"""Where a Redis is, by one address, and what each library wants to know of it: the channel layer, the broker of jobs, a plain client.

redis://:password@host:6379/0
rediss://host:6380/0?ssl_ca_certs=/path/ca.pem        TLS; the certificate is checked
unix:///run/valkey.sock
redis+sentinel://:password@s1:26379,s2:26379,s3:26379/mymaster/0        whichever server the Sentinels say is the master
rediss+sentinel://...?ssl_ca_certs=/path/ca.pem&sentinel_password=...   TLS to the Sentinels and to the server
"""

import re
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_PORT = 26379
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)

# Who only listens never finds out that the other end is gone: the kernel asks after 15 s of silence, and gives up after 30.
_ASK = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_KEEPALIVE: dict[str, Any] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {getattr(socket, name): value for name, value in _ASK.items() if hasattr(socket, name)},
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One Redis. `url` is for redis-py where it is reached directly; else `sentinels` know where it is."""

    url: str
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    server: dict[str, Any] = field(default_factory=dict)  # what the server wants to hear: db, username, password
    sentinel_password: str = ""
    tls: dict[str, str] = field(default_factory=dict)

    def layer_host(self, **timeouts: float) -> dict[str, Any]:
        """An entry of `hosts` in the channel layer's settings."""
        if self.url.startswith("unix:"):
            return {"address": self.url, **timeouts}
        if not self.sentinels:
            return {"address": self.url, **timeouts, **_KEEPALIVE}
        known = {"sentinels": list(self.sentinels), "master_name": self.master, "sentinel_kwargs": self._for_sentinels(timeouts)}
        return {**known, **self.server, **timeouts, **_KEEPALIVE, **({"ssl": True, **self.tls} if self.tls else {})}

    def broker(self) -> str:
        """The same for Celery; `broker_options` belong to it."""
        if not self.sentinels:
            return self.url.replace("unix://", "redis+socket://", 1)
        user, password = (quote(str(self.server.get(name, "")), safe="") for name in ("username", "password"))
        login = f"{user}:{password}@" if password else ""
        query = f"?{urlencode(self.tls)}" if self.tls else ""
        return ";".join(f"sentinel://{login}{host}:{port}/{self.server['db']}{query}" for host, port in self.sentinels)

    def broker_options(self, **timeouts: float) -> dict[str, Any]:
        return {"master_name": self.master, "sentinel_kwargs": self._for_sentinels(timeouts)} if self.sentinels else {}

    def client(self, **timeouts: float) -> Any:
        """A client of redis-py, to be used in a `with`. Connects when it is first asked something."""
        import redis
        from redis.sentinel import Sentinel

        if not self.sentinels:
            return redis.Redis.from_url(self.url, **timeouts)
        secured = {"ssl": True, **self.tls} if self.tls else {}
        known: Any = Sentinel(self.sentinels, sentinel_kwargs=self._for_sentinels(timeouts))  # type: ignore[no-untyped-call]
        return known.master_for(self.master, **self.server, **timeouts, **secured)

    def _for_sentinels(self, timeouts: dict[str, float]) -> dict[str, Any]:
        secured = {"ssl": True, **self.tls} if self.tls else {}
        return {**timeouts, **secured, **({"password": self.sentinel_password} if self.sentinel_password else {})}


def read(text: str) -> RedisAddress:
    """Read one address. Raises ValueError with what is wrong, in words that never repeat it: it may hold a password."""
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES or not rest:
        raise ValueError(f"it must start with {' or '.join(name + '://' for name in SCHEMES)}")
    return _read_sentinels(scheme, rest) if scheme.endswith("+sentinel") else _read_direct(text)


def divide(text: str) -> list[str]:
    """Several addresses, divided by commas: those before the next `...://`, for Sentinels are divided by commas too."""
    return [part.strip() for part in re.split(r",(?=\s*[a-z+]+://)", text) if part.strip()]


def _read_direct(text: str) -> RedisAddress:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it has a bad host or port") from None
    if "," in parts.netloc:
        raise ValueError("it has a bad host or port; several addresses each need their own scheme")
    if parts.scheme == "rediss":
        query = {"ssl_cert_reqs": "required", **dict(parse_qsl(parts.query))}
        text = urlunsplit(parts._replace(query=urlencode(query)))
    return RedisAddress(text)


def _read_sentinels(scheme: str, rest: str) -> RedisAddress:
    rest, _, query = rest.partition("?")
    netloc, _, path = rest.partition("/")
    login, _, hosts = netloc.rpartition("@")
    found = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if not all(found) or any(int(match[2] or _PORT) > 65535 for match in found if match):
        raise ValueError("it has a bad host or port")
    master, _, number = path.strip("/").partition("/")
    if not master or not (number or "0").isdigit():
        raise ValueError("it names no master, as in redis+sentinel://host:26379,host:26379/mymaster/0")
    user, _, password = login.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    given = dict(parse_qsl(query))
    sentinel_password = given.pop("sentinel_password", "")
    return RedisAddress(
        url="",
        sentinels=tuple((match[1].strip("[]"), int(match[2] or _PORT)) for match in found if match),
        master=master,
        server={"db": int(number or 0), **{name: value for name, value in named.items() if value}},
        sentinel_password=sentinel_password,
        tls={"ssl_cert_reqs": "required", **given} if scheme == "rediss+sentinel" else {},
    )
