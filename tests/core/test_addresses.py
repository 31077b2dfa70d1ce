"""Which addresses are the public internet's, and how the exceptions are written."""

from ipaddress import ip_address

import pytest
from django.core.exceptions import ImproperlyConfigured

from core import env
from core.addresses import is_public, may_reach, read_allowed

INSIDE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%2", "fec0::1",
    "ff02::1", "4000::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700:4700::1111",
    "2a00:1450::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_inward_address_is_not_public_in_any_spelling(address: str):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "covered"),
    [
        ("10.1.0.0/16", "in.house", "10.1.2.3", 25, True),
        ("10.1.0.0/16", "in.house", "10.2.2.3", 80, False),
        ("10.1.2.3", "10.1.2.3", "::ffff:10.1.2.3", 80, True),
        ("127.0.0.1:9090", "127.0.0.1", "127.0.0.1", 9090, True),
        ("127.0.0.1:9090", "127.0.0.1", "127.0.0.1", 9091, False),
        ("[::1]:9090", "::1", "::1", 9090, True),
        ("fd00::/8", "in.house", "fd00::1", 443, True),
        ("Prometheus", "PROMETHEUS.", "172.18.0.3", 9090, True),
        ("prometheus:9090", "prometheus", "172.18.0.3", 6379, False),
        ("prometheus", "not-prometheus", "172.18.0.3", 9090, False),
        ("prometheus", "x.prometheus", "172.18.0.3", 9090, False),
    ],
)
def test_an_exception_covers_what_it_names(entry: str, host: str, address: str, port: int, covered: bool):
    assert may_reach(host, ip_address(address), port, [read_allowed(entry)]) is covered


@pytest.mark.parametrize(("port", "may"), [(80, True), (443, True), (9090, True), (22, False), (25, False), (445, False), (1023, False)])
def test_outside_only_the_ports_of_http_and_the_high_ones_are_asked(port: int, may: bool):
    assert may_reach("example.org", ip_address("8.8.8.8"), port, []) is may


@pytest.mark.parametrize("entry", ["10.1.2.3/33", "10.1.2.3:0", "10.1.2.3:x", "host:70000", "a b", "*", "10.1", "http://x", "é", ""])
def test_an_exception_that_means_nothing_is_named(entry: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match=r"is |has "):
        read_allowed(entry)
    monkeypatch.setenv("OUTBOUND_ALLOW", f"prometheus,{entry or '//'}")
    with pytest.raises(ImproperlyConfigured, match=r"^OUTBOUND_ALLOW: "):
        env.targets("OUTBOUND_ALLOW")
