"""Which pages may open a socket: origins compared exactly, by scheme, host and port.

Channels' own validator ignores scheme and port, so a page on another port of the same host could use a person's cookies.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

_PORTS = {"http": 80, "https": 443}


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The value of a header of an ASGI scope, or None; the first one where a client sends several."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def _parts(origin: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an origin, or None when it is none; `null` is none."""
    try:
        url = urlsplit(origin)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        return None
    if url.scheme not in _PORTS or not url.hostname or port is None or url.path or url.query or url.fragment or url.username:
        return None
    return url.scheme, url.hostname, port


def own_origins() -> Iterable[str]:
    """The origins of our own pages: BASE_URL, and what ALLOWED_ORIGINS adds."""
    return [settings.BASE_URL, *settings.ALLOWED_ORIGINS]


def origin_allowed(scope: Mapping[str, Any]) -> bool:
    """Whether this handshake may go on: its Origin is ours, or it has none and no cookies either."""
    origin = header(scope, b"origin")
    if origin is None:
        return header(scope, b"cookie") is None
    given = _parts(origin)
    if given is None:
        return False
    return given in {_parts(own) for own in own_origins()} or _same_host_in_development(scope, given)


def _same_host_in_development(scope: Mapping[str, Any], given: tuple[str, str, int]) -> bool:
    """Whether the page comes from the very address that it connects to, where that address is this machine.

    localhost and 127.0.0.1 are one machine under two names: no stranger can serve a page from them.
    """
    host = header(scope, b"host")
    target = _parts(f"{given[0]}://{host}") if host else None
    return target == given and given[1] in {"localhost", "127.0.0.1", "::1"}
