"""Behind proxies a request is from whom the trusted ones say, and nobody can say it for himself."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from core import proxies

PEER = "198.51.100.7"


def scope(*forwarded: str, proto: str = "", client: Any = (PEER, 4000), kind: str = "http") -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if proto:
        headers.append((b"x-forwarded-proto", proto.encode()))
    return {"type": kind, "scheme": {"http": "http", "websocket": "ws"}[kind], "client": client, "headers": headers}


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "_seen", {})


@pytest.fixture
def hops(settings: Any) -> Callable[[int], None]:
    def trust(number: int) -> None:
        settings.TRUSTED_PROXY_HOPS = number

    return trust


def address(given: dict[str, Any]) -> str:
    return (proxies.believe(given)["client"] or ("", 0))[0]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "from_whom"),
    [
        (1, ["203.0.113.9"], "203.0.113.9"),
        (1, ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # the first one is the caller's invention
        (1, ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),  # in two header lines
        (2, ["6.6.6.6, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        (2, ["203.0.113.9"], PEER),  # fewer hops than trusted: who knows who wrote that
        (1, [], PEER),
        (1, ["unknown"], PEER),
        (1, ["203.0.113.9:5123"], "203.0.113.9"),
        (1, ["[2001:db8::1]:5123"], "2001:db8::1"),
        (1, ["2001:db8::1"], "2001:db8::1"),
        (1, ["::ffff:203.0.113.9"], "203.0.113.9"),
        (1, ["203.0.113.9\n"], "203.0.113.9"),
        (1, ["٢٠٣.0.113.9"], PEER),
        (1, ["x" * 10_000], PEER),
    ],
)
def test_the_hop_that_the_outermost_trusted_proxy_wrote_is_the_caller(
    hops: Callable[[int], None], trusted: int, forwarded: list[str], from_whom: str
):
    hops(trusted)
    assert address(scope(*forwarded)) == from_whom


def test_without_trusted_proxies_a_strangers_headers_change_nothing(hops: Callable[[int], None]):
    hops(0)
    given = scope("203.0.113.9", proto="https", client=("8.8.8.8", 4000))
    assert proxies.believe(given) == given


@pytest.mark.parametrize("peer", [("127.0.0.1", 1), ("10.1.2.3", 1), ("::1", 1), None, ("", 0)])
def test_a_private_peer_that_forwards_untold_makes_every_address_unknown_and_is_said_once(
    hops: Callable[[int], None], caplog: pytest.LogCaptureFixture, peer: Any
):
    hops(0)
    with caplog.at_level(logging.WARNING):
        assert address(scope("203.0.113.9", client=peer)) == ""
        assert address(scope("203.0.113.9", client=peer)) == ""
    assert len(caplog.records) == 1
    assert "TRUSTED_PROXY_HOPS is 0" in caplog.text
    assert "TRUSTED_PROXY_HOPS is 0" in proxies.complaint()


def test_a_peer_on_this_machine_that_forwards_nothing_is_itself(hops: Callable[[int], None]):
    hops(0)
    assert address(scope(client=("127.0.0.1", 1))) == "127.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "kind", "proto", "scheme"),
    [
        (1, "http", "https", "https"),
        (1, "websocket", "https", "wss"),
        (1, "http", "gopher", "http"),
        (1, "http", "http, HTTPS", "https"),
        (0, "http", "https", "http"),
        (1, "http", "https, http", "http"),  # the first one is the caller's invention
        (2, "http", "https, http", "https"),  # a balancer ended TLS and called our nginx by http
        (2, "websocket", "https, http", "wss"),
        (2, "http", "https, http, http", "http"),
        (2, "http", "http, https, http", "https"),
        (2, "http", "https", "https"),  # the nearer one only passed it on
        (3, "http", "https, http", "http"),  # fewer than are trusted: the nearest is ours for sure
    ],
)
def test_the_scheme_is_what_the_outermost_trusted_proxy_was_called_by(
    hops: Callable[[int], None], trusted: int, kind: str, proto: str, scheme: str
):
    hops(trusted)
    assert proxies.believe(scope(proto=proto, kind=kind, client=("8.8.8.8", 1)))["scheme"] == scheme


@pytest.mark.parametrize(("base", "proto", "complains"), [("https", "", True), ("https", "https", False), ("http", "", False)])
def test_a_proxy_that_hides_the_scheme_of_an_https_site_is_complained_about(
    hops: Callable[[int], None], settings: Any, base: str, proto: str, complains: bool
):
    hops(1)
    settings.BASE_URL = f"{base}://signalbox.example"
    proxies.believe(scope("203.0.113.9", proto=proto))
    assert ("X-Forwarded-Proto" in proxies.complaint()) is complains
