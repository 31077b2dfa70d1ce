"""Which network addresses we may connect to on somebody's word. Pure; `outbound` does the connecting: docs/outbound.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Written out, because what `ipaddress.is_global` says differs between patch releases of Python. IANA's special-purpose registries,
# and 168.63.129.16: Azure's metadata host has a public address.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_UNICAST = IPv6Network("2000::/3")  # whatever is outside is loopback, private, link-local, multicast or unassigned
_NAT64 = IPv6Network("64:ff9b::/96")
# Below 1024 live mail, shells and file shares, which can be talked into much by an HTTP request.
_PORTS_BELOW_1024 = {80, 443}


def is_public(address: Address) -> bool:
    """Whether this is an ordinary address of the internet: not private, loopback, link-local, multicast or somebody's metadata host."""
    if isinstance(address, IPv6Address):
        embedded = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
        if embedded is not None:
            return is_public(embedded)
        if address not in _UNICAST:
            return False
    return not any(address.version == network.version and address in network for network in _NOT_PUBLIC)


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of OUTBOUND_ALLOW: a name, or a network; on one port, or on all (0)."""

    name: str = ""
    network: Network | None = None
    port: int = 0

    def covers(self, host: str, address: Address, port: int) -> bool:
        if self.port and self.port != port:
            return False
        if self.network is None:
            return host.lower().rstrip(".") == self.name
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        return plain.version == self.network.version and plain in self.network


def may_reach(host: str, address: Address, port: int, allowed: Iterable[Allowed]) -> bool:
    """Whether we may connect to this address, which `host` resolved to, on this port."""
    ordinary = is_public(address) and (port >= 1024 or port in _PORTS_BELOW_1024)
    return ordinary or any(entry.covers(host, address, port) for entry in allowed)


def read_allowed(text: str) -> Allowed:
    """Read one entry: `prometheus`, `10.1.0.0/16`, `127.0.0.1:9090`, `[::1]:9090`. Raises ValueError."""
    try:
        return Allowed(network=ip_network(text))
    except ValueError:
        host, port = _host_and_port(text)
    try:
        return Allowed(network=ip_network(host), port=port)
    except ValueError:
        return Allowed(name=_name(host), port=port)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, 0
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} has a bad port.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _name(text: str) -> str:
    name = text.lower().rstrip(".")
    parts = name.split(".")
    if len(name) > 253 or not all(part.isascii() and part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise ValueError(f"{text!r} is neither a host's name nor a network such as 10.1.0.0/16.")
    if all(part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no network: write 10.1.2.3 or 10.1.0.0/16.")
    return name


__all__ = ["Address", "Allowed", "ip_address", "is_public", "may_reach", "read_allowed"]
