"""Who a request is from when proxies stand in front: `TRUSTED_PROXY_HOPS` of them, counted from our side: docs/running.md.

Each proxy appends the address that it was called from to X-Forwarded-For, and how it was called to X-Forwarded-Proto. What our own proxies
wrote stands at the end of the list and can be believed; what stands before it was sent by the caller, so the leftmost is never taken for
being the leftmost.
"""

import ipaddress
import logging
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
_SCHEMES = {"http": {"http": "http", "websocket": "ws"}, "https": {"http": "https", "websocket": "wss"}}
UNTOLD = "A proxy forwards requests, but TRUSTED_PROXY_HOPS is 0: limits by address are off. Set it to the number of proxies."
NO_SCHEME = "BASE_URL is https, but the proxy does not say so: it must send X-Forwarded-Proto."
_seen: dict[str, None] = {}  # what was complained about, in this order


def believe(scope: Scope) -> Scope:
    """The scope with the caller's true address (`client`) and scheme, by as many hops as are trusted.

    With none trusted, headers change nothing. But where a private peer sends them all the same, it is a proxy that nobody told us of: its
    address is that of every visitor, so nobody's is known (`client` is None), limits by address are off, and one warning says so.
    """
    hops = settings.TRUSTED_PROXY_HOPS
    forwarded = _forwarded_for(scope["headers"])
    if not hops:
        return _unknown(scope) if forwarded and _is_private(scope) else scope
    believed = dict(scope)
    if len(forwarded) >= hops and (address := _address(forwarded[-hops])):
        believed["client"] = (address, 0)
    proto = _told_scheme(scope["headers"], hops)
    if proto in _SCHEMES:
        believed["scheme"] = _SCHEMES[proto][scope["type"]]
    elif forwarded and settings.BASE_URL.startswith("https:"):
        _complain(NO_SCHEME)
    return believed


def complaint() -> str:
    """What is wrong with the proxies in front, as this process has seen since its start; empty when nothing is."""
    return next(iter(_seen), "")


def _complain(text: str) -> None:
    """Say it in the log once, and from then on at /readyz."""
    if text not in _seen:
        _seen[text] = None
        logger.warning(text)


def _unknown(scope: Scope) -> Scope:
    _complain(UNTOLD)
    return {**scope, "client": None}


def forwarded_by(header: str) -> int:
    """How many proxies wrote themselves into an X-Forwarded-For, where the caller himself sent none."""
    return len([hop for hop in header.split(",") if hop.strip()])


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    return _hops(headers, b"x-forwarded-for")


def _told_scheme(headers: Iterable[tuple[bytes, bytes]], hops: int) -> str:
    """How the outermost trusted proxy was called. Where fewer said so than are trusted, the nearest one's word counts: it passed on."""
    told = _hops(headers, b"x-forwarded-proto")
    return told[-hops if len(told) >= hops else -1].lower() if told else ""


def _hops(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """What each hop said in this header, the nearest last; a list may come in several header lines."""
    return [hop.strip() for name, value in headers if name == wanted for hop in value.decode("latin-1").split(",")]


def _address(hop: str) -> str:
    """The address of one hop without port and brackets; empty for what is none ("unknown")."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ipaddress.ip_address(hop.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_private(scope: Mapping[str, Any]) -> bool:
    """Whether the peer is one of ours: a Unix socket, this machine, a private network."""
    address = _address((scope.get("client") or ("", 0))[0] or "")
    return not address or ipaddress.ip_address(address).is_private
