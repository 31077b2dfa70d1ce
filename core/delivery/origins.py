"""Which pages may open a socket: origins compared exactly, by scheme, host and port.

Channels' own validator ignores scheme and port, so a page on another port of the same host could use a person's cookies.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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
    return given in {_parts(own) for own in own_origins()} or _is_this_machine(scope, given)


def _is_this_machine(scope: Mapping[str, Any], given: tuple[str, str, int]) -> bool:
    """Whether the page comes from the very address that it connects to, where both we and it are on this machine's loopback.

    localhost and 127.0.0.1 are one machine under two names: no stranger can serve a page from them on our port.
    """
    base, host = _parts(settings.BASE_URL), header(scope, b"host")
    if base is None or host is None or base[1] not in _LOOPBACK or given[1] not in _LOOPBACK or given[0] != base[0]:
        return False
    return _parts(f"{given[0]}://{host}") == given
