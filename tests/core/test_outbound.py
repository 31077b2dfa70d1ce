"""Requests to addresses that somebody gave us go nowhere inside, take as long as we say, and bring as much as we say."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core import outbound
from core.outbound import LIMIT, OutboundFailed, OutboundRefused, Response, check_url, fetch
from tests.support.receiver import Answer, Receiver, drips, endless, hangs, receiver, says
from tests.support.servers import free_port


@pytest.fixture
def hook(settings: Any) -> Iterator[Receiver]:
    """A server in the house that may be asked."""
    with receiver(Answer(body=b"hello")) as made:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
        yield made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Names and what they resolve to, one list of addresses for each time they are asked for; the last again and again."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host not in known:
            return real(host, port, *rest, **options)
        turns = known[host]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


def test_an_answer_comes_back_whatever_its_status(hook: Receiver):
    hook.answers = [Answer(418, {"X-One": "1"}, b"short and stout")]
    response = fetch(f"{hook.url}/a/path?q=1#part", method="POST", headers={"Authorization": "Bearer x"}, body=b"tea?")
    assert (response.status, response.ok, response.body, response.headers["x-one"]) == (418, False, b"short and stout", "1")
    [received] = hook.requests
    assert (received.method, received.path, received.body) == ("POST", "/a/path?q=1", b"tea?")
    assert received.headers["authorization"] == "Bearer x"
    assert received.headers["host"] == f"127.0.0.1:{hook.port}"
    assert "tea?" not in repr(response.headers)


# --- where it may not go ---

LOOPBACKS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "localhost", "localhost.", "LOCALHOST", "[::1]",
    "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "0.0.0.0", "0", "[::]",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACKS)
def test_loopback_is_refused_in_every_spelling(host: str):
    with receiver() as inside:
        with pytest.raises((OutboundRefused, OutboundFailed)) as refusal:
            fetch(f"http://{host}:{inside.port}/")
        assert inside.requests == []
    # A spelling that this machine's resolver does not know names no host; the others are refused.
    assert refusal.type is OutboundRefused or "There is no host" in str(refusal.value)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "224.0.0.1", "100.100.100.200"]
)
def test_private_link_local_and_metadata_addresses_are_refused_without_a_word_sent(host: str, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    with pytest.raises(OutboundRefused, match="is not an address that Signalbox may reach"):
        fetch(f"http://{host}/latest/meta-data/")
    assert asked == []


def test_a_name_with_one_address_inside_is_refused(names: dict[str, list[list[str]]]):
    names["two-faced.test"] = [["93.184.216.34", "10.0.0.1"]]
    with pytest.raises(OutboundRefused):
        fetch("http://two-faced.test/")


def test_the_address_that_was_checked_is_the_one_that_is_asked(hook: Receiver, names: dict[str, list[list[str]]]):
    names["rebinding.test"] = [["127.0.0.1"], ["10.0.0.1"]]
    assert fetch(f"http://rebinding.test:{hook.port}/").body == b"hello"
    assert hook.requests[0].headers["host"] == f"rebinding.test:{hook.port}"
    assert len(names["rebinding.test"]) == 1  # asked for once


def test_only_what_the_setting_names_is_open_inside(hook: Receiver, settings: Any):
    assert fetch(hook.url).ok
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{hook.port + 1}"]
    with pytest.raises(OutboundRefused):
        fetch(hook.url)
    assert len(hook.requests) == 1


BAD_ADDRESSES = [
    "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "javascript:alert(1)", "data:text/plain,x", "unix:///run/x",
    "//example.org/", "example.org", "", "http://", "http:///x", "http://user:secret@example.org/", "http://example.org@127.0.0.1/",
    "http://example.org\\@127.0.0.1/", "http://exa mple.org/", "http://example.org/\r\nX: y", "http://example.org/\t", "http://[::1/",
    "http://example.org:99999/", "http://example.org:0/", "http://example.org:٣/", "http://①②⑦.⓪.⓪.①/", "http://[fe80::1%25eth0]/",
    "http://example.org/" + "a" * 2000, "http://example.org/\0", "http://example.org/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_a_bad_address_is_refused_in_a_sentence_that_does_not_repeat_it(url: str):
    with pytest.raises(OutboundRefused) as refusal:
        check_url(url)
    assert "secret" not in str(refusal.value) and str(refusal.value).endswith(".")
    with pytest.raises(OutboundRefused):
        fetch(url)


@pytest.mark.parametrize("headers", [{"X": "a\r\nHost: other"}, {"X\r\nY": "a"}, {"X": "é"}, {"": "a"}, {"X": "a" * 9000}])
def test_a_header_that_is_none_is_refused(hook: Receiver, headers: dict[str, str]):
    with pytest.raises(OutboundRefused):
        fetch(hook.url, headers=headers)
    assert hook.requests == []


def test_an_unknown_name_says_so():
    with pytest.raises(OutboundFailed, match=r"^There is no host nowhere\.invalid\.$"):
        fetch("http://nowhere.invalid/")


# --- redirects ---


def test_a_redirect_is_refused_unless_asked_for(hook: Receiver):
    hook.answers = [Answer(302, {"Location": "/there"}), Answer(body=b"there")]
    with pytest.raises(OutboundRefused, match="redirects"):
        fetch(hook.url)
    assert len(hook.requests) == 1


def test_a_redirect_that_is_followed_is_checked_like_the_first_address(hook: Receiver):
    with receiver() as inside:
        hook.answers = [Answer(302, {"Location": f"{inside.url}/secret"})]
        with pytest.raises(OutboundRefused):
            fetch(hook.url, redirects=5)
        assert inside.requests == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://a:b@127.0.0.1/", "http://127.1/", "//169.254.169.254/", "http://[::1]/"])
def test_a_redirect_inward_or_to_another_scheme_is_refused(hook: Receiver, target: str):
    hook.answers = [Answer(302, {"Location": target})]
    with pytest.raises((OutboundRefused, OutboundFailed)):
        fetch(hook.url, redirects=5)


def test_a_redirect_is_followed_with_its_secrets_on_one_host_only(hook: Receiver, settings: Any):
    with receiver(Answer(body=b"elsewhere")) as other:
        settings.OUTBOUND_ALLOW = ["127.0.0.1"]
        hook.answers = [Answer(302, {"Location": "/next"}), Answer(302, {"Location": f"{other.url}/last"})]
        response = fetch(hook.url, headers={"Authorization": "Bearer x", "Accept": "text/plain"}, redirects=5)
        assert (response.body, response.url) == (b"elsewhere", f"{other.url}/last")
        assert [received.headers.get("authorization") for received in hook.requests] == ["Bearer x", "Bearer x"]
        assert "authorization" not in other.requests[0].headers
        assert other.requests[0].headers["accept"] == "text/plain"


def test_a_thousand_redirects_are_as_many_as_were_asked_for(hook: Receiver):
    hook.answers = [Answer(302, {"Location": "/again"})]
    with pytest.raises(OutboundRefused, match="again"):
        fetch(hook.url, redirects=3)
    assert len(hook.requests) == 4


# --- time and size ---


@pytest.mark.parametrize("worst", [hangs, drips], ids=["hangs", "drips"])
def test_a_server_that_takes_its_time_is_left(hook: Receiver, worst: Callable[..., None]):
    hook.answers = [Answer(raw=worst)]
    with pytest.raises(OutboundFailed, match="did not answer in time"):
        fetch(hook.url, timeout=0.5)


def test_headers_that_drip_are_left_too(hook: Receiver):
    def slowly(handler: Any, ended: threading.Event) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.02):
            handler.wfile.write(b"X: y\r\n")

    hook.answers = [Answer(raw=slowly)]
    with pytest.raises(OutboundFailed):
        fetch(hook.url, timeout=0.5)


def test_a_name_that_the_resolver_broods_over_is_left(monkeypatch: pytest.MonkeyPatch):
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: ended.wait() and [])
    with pytest.raises(OutboundFailed, match="looked up in time"):
        fetch("http://slow.test/", timeout=0.2)
    ended.set()


@pytest.mark.parametrize("answer", [Answer(body=b"x" * 10_000_000), Answer(raw=endless)], ids=["10 MB", "endless"])
def test_an_answer_above_the_limit_fails_or_is_cut(hook: Receiver, answer: Answer):
    hook.answers = [answer]
    with pytest.raises(OutboundFailed, match=f"more than {LIMIT} bytes"):
        fetch(hook.url)
    assert fetch(hook.url, limit=1000, whole=False).body == b"x" * 1000


def test_a_bomb_is_not_unpacked(hook: Receiver):
    hook.answers = [Answer(200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 10_000_000))]
    with pytest.raises(OutboundFailed, match="compressed"):
        fetch(hook.url)
    assert hook.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("text", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"\0" * 200_000, b""])
def test_an_answer_that_is_no_http_or_breaks_off_fails(hook: Receiver, text: bytes):
    hook.answers = [Answer(raw=says(text))]
    with pytest.raises(OutboundFailed):
        fetch(hook.url)


def test_nobody_listening_says_so(settings: Any):
    port = free_port()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{port}"]
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        fetch(f"http://127.0.0.1:{port}/a-secret-path")
    with pytest.raises(OutboundFailed) as failure:
        fetch(f"http://127.0.0.1:{port}/a-secret-path")
    assert "secret" not in str(failure.value)


def test_https_wants_a_certificate_for_the_name_although_it_connects_to_an_address(tmp_path: Path, settings: Any, monkeypatch: Any):
    settings.OUTBOUND_ALLOW = ["127.0.0.1", "localhost"]
    with receiver(Answer(body=b"hello"), tls=certified("localhost", folder=tmp_path)) as server:
        with pytest.raises(OutboundFailed, match="certificate"):
            fetch(f"https://localhost:{server.port}/")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "own.pem"))
        monkeypatch.setattr(outbound, "_tls", lambda: trusting)
        assert fetch(f"https://localhost:{server.port}/").body == b"hello"
        with pytest.raises(OutboundFailed, match="certificate"):
            fetch(f"https://127.0.0.1:{server.port}/")
        assert len(server.requests) == 1


def certified(name: str, *, folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for this name that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    named, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            named, named, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = folder / "own.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    own.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context


# --- what the answer says ---

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0), ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("999999999999999999", 86400.0), ("Sat, 21 Nov 9999 12:00:00 GMT", 86400.0),
        ("", None), ("-5", None), ("soon", None), ("1.5", None), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms_and_never_beyond_a_day(header: str, seconds: float | None):
    assert Response("http://x/", 503, {"retry-after": header}, b"").retry_after(NOW) == seconds


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [("text/plain; charset=latin-1", b"\xe9", "é"), ("text/plain", "é".encode(), "é"), ("text/plain; charset=nonsense", b"a\xff", "a�")],
)
def test_text_is_read_by_its_charset_and_never_fails(kind: str, body: bytes, text: str):
    assert Response("http://x/", 200, {"content-type": kind}, body).text == text
