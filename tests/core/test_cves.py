"""What was found in Django, Daphne, Twisted, Channels, Celery and redis-py in the last two years, tried on us: SECURITY.md lists them.

The versions that we pin have the fixes; these tests hold what we build on them, and that a later change does not open the same door again.
"""

import inspect
import pickle
import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib import admin
from django.contrib.admin.utils import display_for_field
from django.contrib.auth import hashers
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.db import models
from django.test import Client, RequestFactory
from kombu.exceptions import ContentDisallowed

from core import env, proxies
from core.models import SignIn
from tests.support.servers import ROOT, Web, make_site


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    site = make_site(tmp_path_factory.mktemp("site"))
    with site.web(server=request.param) as process:
        yield process
        written = process.output()
        assert "Traceback" not in written and "ERROR" not in written, written[-4000:]


TOO_BIG, FORBIDDEN = struct.pack("!H", 1009), struct.pack("!H", 4403)  # as in a close frame


def say(web: Web, *said: bytes, until: Callable[[bytes], bool] = lambda heard: False) -> bytes:
    """What the server answers to these bytes, until it hangs up, says what was waited for, or has nothing more to say.

    What is said after the first bytes is said when their answer has begun.
    """
    heard = b""
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection, suppress(TimeoutError, ConnectionError):
        for data in said:
            connection.sendall(data)
            if data is not said[-1]:
                heard += connection.recv(65536)
        connection.settimeout(5)
        while not until(heard) and (more := connection.recv(65536)):
            heard += more
    return heard


def handshake(web: Web, *more: bytes) -> bytes:
    lines = [b"GET /live/ws HTTP/1.1", b"Host: 127.0.0.1:%d" % web.port, b"Upgrade: websocket", b"Connection: Upgrade"]
    lines += [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: c2lnbmFsYm94IGRvY3Rvcg==", *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def statuses(heard: bytes) -> list[int]:
    """The status lines of the answers in these bytes, in their order."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", heard)]


def still_serves(web: Web) -> bool:
    return statuses(say(web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) == [200]


# --- Daphne and Twisted (and the same tried on uvicorn) ---


def test_cve_2026_44545_a_frame_of_any_size_is_not_taken(web: Web):
    """Daphne before 4.2.2 set no limit on the size of WebSocket frames and messages."""
    announced = struct.pack("!BBQ", 0x81, 0x80 | 127, 2**31) + b"\0\0\0\0"
    origin = b"Origin: http://127.0.0.1:%d" % web.port
    heard = say(web, handshake(web, origin), announced + b"x" * 100_000, until=lambda heard: TOO_BIG in heard)
    assert statuses(heard) == [101]
    assert TOO_BIG in heard  # before the rest of the two gigabytes
    assert still_serves(web)


@pytest.mark.parametrize("separator", [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85"])
def test_cve_2026_44546_no_header_is_smuggled_into_a_handshake(web: Web, separator: bytes):
    """Daphne before 4.2.2 split header values at separators that only Python takes for ends of lines."""
    smuggled = b"X-Note: a" + separator + b"Origin: http://127.0.0.1:%d" % web.port
    heard = say(web, handshake(web, b"Cookie: sessionid=x", smuggled), until=lambda heard: FORBIDDEN in heard or b" 400 " in heard)
    # Refused, or let in without an origin, which with a cookie is closed at once.
    assert statuses(heard) == [400] or FORBIDDEN in heard
    assert still_serves(web)


def test_cve_2024_41671_pipelined_requests_are_answered_in_their_order(web: Web):
    """Twisted before 24.7 answered pipelined requests out of order."""
    first = b"GET /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % web.port
    second = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    heard = say(web, first + second, until=lambda heard: b'"alive"' in heard)
    assert statuses(heard) == [200, 200]
    assert heard.index(b"Sign in") < heard.index(b'"alive"')


def test_twisted_12754_a_bare_line_feed_in_a_header_hides_no_request(web: Web):
    """Twisted before 26.10 took a bare line feed as part of a header's value: behind some proxies a request could be smuggled."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    heard = say(web, b"POST /readyz HTTP/1.1\r\nHost: x\r\nX-Note: a\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden)
    assert 200 not in statuses(heard)
    assert still_serves(web)


def test_cve_2026_42304_the_dns_server_of_twisted_runs_nowhere():
    """CVE-2026-42304: names that point to themselves hang `twisted.names`. We do not load it."""
    loads = [path for path in ROOT.glob("core/**/*.py") if "twisted.names" in path.read_text()]
    assert loads == []


# --- Django ---


def test_cve_2025_14550_a_header_repeated_a_thousand_times_is_refused_or_read(web: Web):
    """Django before 5.2.11 put together repeated headers in quadratic time."""
    many = b"".join(b"X-Note: %d\r\n" % number for number in range(5000))
    heard = say(web, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"Connection: close\r\n\r\n")
    assert statuses(heard) in ([200], [400], [431])
    assert still_serves(web)


def test_cve_2026_3902_a_header_with_underscores_is_not_the_one_with_hyphens(settings: Any):
    """Django before 5.2.13 took `X_Forwarded_For` for `X-Forwarded-For` under ASGI, past a proxy that cleans only the latter."""
    settings.TRUSTED_PROXY_HOPS = 1
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http", "client": ("198.51.100.7", 1)}
    believed = proxies.believe({**scope, "headers": [(b"x_forwarded_for", b"6.6.6.6"), (b"x_forwarded_proto", b"https")]})
    assert (believed["client"], believed["scheme"]) == (("198.51.100.7", 1), "http")
    request = ASGIRequest(dict(believed), None)
    assert "HTTP_X_FORWARDED_FOR" not in request.META


def test_cve_2026_33034_and_5766_a_body_is_limited_however_long_it_says_it_is(web: Web):
    """Django before 5.2.14 believed Content-Length, so that a body sent in chunks or understated passed the limit into memory."""
    head = b"POST /api/v1/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    heard = say(web, head + chunk * 64 + b"0\r\n\r\n", until=lambda heard: b"\r\n\r\n" in heard)
    assert statuses(heard) in ([401], [413])
    assert still_serves(web)


@pytest.mark.parametrize("path", [b"/accounts/login/", b"/no-such-page/", b"/api/v1/notifications"])
@pytest.mark.parametrize("said", [b"Content-Length: 1099511627776", b"Transfer-Encoding: chunked"], ids=["said", "in chunks"])
def test_nobody_fills_the_disk_by_a_body_without_an_end(web: Web, path: bytes, said: bytes):
    """Django writes a body to the disk before a view is asked, Twisted before Django is: as long as somebody sends it."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: text/plain\r\n" % web.port + said + b"\r\n\r\n"
    over = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    heard = say(web, head + (over * 4 + b"1\r\nx\r\n" if b"chunked" in said else b""), until=lambda heard: b"\r\n\r\n" in heard)
    assert statuses(heard) == [413]  # which comes although the body is not at its end
    assert still_serves(web)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "key", ["_connector", "_negated", "is_active__in", "password", "groups__user__password", 'is_active" --', "pk) OR (1=1"]
)
def test_cve_2025_64459_no_name_of_a_filter_reaches_a_query_unchecked(key: str, alice: Any):
    """Django before 5.2.8 let `_connector` as a keyword of filter() into SQL. Names of ours come from an allow-list."""
    from core.errors import Problem
    from dashboard import sources, widgets

    source, widget = sources.KINDS["model"], widgets.of("stat")
    with pytest.raises(Problem) as refused:
        source.settings({"model": "auth.User", "where": {key: "OR 1=1"}}, widget)
    assert refused.value.code.status == 422


@pytest.mark.django_db
@pytest.mark.parametrize("name", ['is_active" --', "is_active.x", "is_active\x0b", "password", "-is_active", "?"])
def test_cve_2025_57833_13372_and_2026_1287_1312_no_alias_or_order_is_a_users_text(name: str, alice: Any):
    """Django before 5.2.11 put column aliases with dots, quotes and control characters into SQL."""
    from core.errors import Problem
    from dashboard import sources, widgets

    with pytest.raises(Problem):
        sources.KINDS["model"].settings({"model": "auth.User", "group": name}, widgets.of("bars"))


def test_cve_2024_53907_2025_26699_32873_and_2026_1285_no_slow_filter_of_html_is_used():
    """strip_tags(), wordwrap, urlize and the truncation of HTML were slow on purpose-made text, four times over."""
    slow = re.compile(r"\|\s*(striptags|wordwrap|urlize\w*|truncate\w+_html)|strip_tags\(|urlize\(|Truncator\(")
    files = [
        *ROOT.glob("templates/**/*.html"),
        *(file for app in ("core", "notifications", "dashboard") for file in ROOT.glob(f"{app}/**/*.py")),
    ]
    assert [str(file.relative_to(ROOT)) for file in files if slow.search(file.read_text())] == []


def test_cve_2025_48432_a_path_writes_no_line_of_its_own_into_the_log(web: Web):
    """Django before 5.2.3 wrote the path of a request into the log as it was."""
    say(web, b"GET /nothing%0A2026-01-01T00:00:00Z%20INFO%20core:%20forged%1b[2J HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert still_serves(web)
    assert not [line for line in web.output().splitlines() if line.startswith("2026-01-01") or "\x1b" in line]


@pytest.mark.django_db
def test_cve_2024_39329_and_2025_13473_a_name_that_nobody_has_takes_as_long_as_a_wrong_password(
    alice: Any, monkeypatch: pytest.MonkeyPatch
):
    """Unknown and inactive names could be told from wrong passwords by time. What takes the time is hashing: it is done once for each."""
    hasher = type(hashers.get_hasher())
    hashed: list[str] = []
    encode = hasher.encode
    monkeypatch.setattr(
        hasher, "encode", lambda self, password, salt, *more: hashed.append(password) or encode(self, password, salt, *more)
    )
    bodies = []
    for name in ("alice", "nobody"):
        answer = Client(REMOTE_ADDR=f"192.0.2.{len(hashed)}").post("/accounts/login/", {"username": name, "password": "wrong"})
        bodies.append(re.sub(r'value="[^"]*"|csrf[^"]*"', "", answer.content.decode()))
    assert hashed == ["wrong", "wrong"]
    assert bodies[0] == bodies[1]


@pytest.mark.django_db
def test_cve_2026_48588_and_35192_nothing_private_is_kept_by_a_cache_and_no_session_is_handed_on(alice: Any):
    """Django's cache middleware kept pages of people with unrelated cookies. We use none, and private pages say no-store."""
    assert not [name for name in django_settings.MIDDLEWARE if "cache" in name.lower()]
    browser = Client()
    browser.force_login(alice)
    for page in ("/", "/inbox/", "/dashboards/", "/rooms/", "/accounts/sessions/", "/admin/"):
        assert "no-store" in browser.get(page).headers["Cache-Control"], page
    assert "Cookie" in browser.get("/").headers["Vary"]


@pytest.mark.django_db
def test_a_session_gets_a_new_key_when_somebody_signs_in(alice: Any):
    """Session fixation: a key that was known before is worth nothing after."""
    browser = Client()
    browser.get("/accounts/login/")
    browser.session.save()
    before = browser.session.session_key
    browser.post("/accounts/login/", {"username": "alice", "password": "alice-password"})
    assert browser.session.session_key != before
    assert list(SignIn.objects.values_list("session_key", flat=True)) == [browser.session.session_key]


def test_cve_2026_4277_and_4292_the_admin_edits_no_lists_and_adds_no_inlines():
    """Permissions were not checked on `list_editable` forms and on inlines of models that one may only look at."""
    ours = [one for model, one in admin.site._registry.items() if model._meta.app_label.startswith("signalbox")]
    assert ours
    assert [type(one).__name__ for one in ours if one.list_editable] == []


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["application/xml", "text/xml", "application/x-yaml"])
def test_cve_2025_64460_no_door_takes_xml(kind: str):
    """Django's XML deserializer was slow on purpose-made text. Nothing of ours reads any."""
    answer = Client().post("/api/v1/notifications", b"<a>" * 1000, content_type=kind)
    assert answer.status_code in {401, 415, 422}


def test_cve_2025_59682_2026_15307_and_53877_no_archive_no_raster_no_upload_is_opened():
    """Django's archive.extract() and GDAL classes followed paths and lengths inside files."""
    used = re.compile(r"django\.utils\.archive|contrib\.gis|GDALRaster|FileField|ImageField\(")
    files = [file for app in ("core", "notifications", "dashboard", "workers") for file in ROOT.glob(f"{app}/**/*.py")]
    assert [
        str(file.relative_to(ROOT)) for file in files if used.search(file.read_text()) and "forms.FileField" not in file.read_text()
    ] == []


@pytest.mark.django_db
def test_cve_2025_27556_and_64458_a_redirect_goes_nowhere_else_however_its_target_is_written(alice: Any):
    """Redirects took long and foreign targets."""
    for target in ("//evil.example", "https:evil.example", "\\\\evil.example", "/\\evil.example", "ﬀ" * 100_000, "javascript:alert(1)"):
        answer = Client().post("/accounts/login/", {"username": "alice", "password": "alice-password", "next": target})
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/"


def test_cve_2026_33033_white_space_in_a_part_of_a_form_costs_nothing(web: Web):
    """Django before 5.2.13 read white space in a base64 part byte by byte, with a copy of 64 KB for each."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    body = part + b"AAA" + b" " * 1_000_000 + b"A\r\n--b--\r\n"
    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n" % web.port
    kind = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert statuses(say(web, head + kind + body)) == [403]  # it has no token of a form
    assert still_serves(web)


def test_cve_2026_84429_separators_in_a_quoted_parameter_of_a_header_cost_nothing(web: Web):
    """Django before 5.2.18 read `Content-Type` and `Accept` in quadratic time. Servers limit headers; we negotiate nothing."""
    long = b'text/html; a="' + b";" * 15_000 + b'"'
    head = b"POST /api/v1/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + long + b"\r\n" + (b"Accept: " + long + b"\r\n") * 2
    assert statuses(say(web, head + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")) in ([400], [401], [431])
    assert still_serves(web)
    packages = ("core", "notifications", "dashboard", "workers")
    assert not [file for package in packages for file in ROOT.glob(f"{package}/**/*.py") if ".accepts(" in file.read_text()]


class _NoTls(socketserver.StreamRequestHandler):
    """A mail server that offers STARTTLS and cannot do it; `heard` is what it was told."""

    heard: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example.org\r\n")
        while line := self.rfile.readline():
            self.heard.append(line)
            if line.upper().startswith(b"EHLO"):
                self.wfile.write(b"250-mail.example.org\r\n250 STARTTLS\r\n")
            elif line.upper().startswith(b"STARTTLS"):
                self.wfile.write(b"220 Go on\r\n" + b"454 This is no TLS\r\n")
                self.connection.recv(4096)
                return
            else:
                self.wfile.write(b"250 Fine\r\n")


@pytest.mark.parametrize("silently", [True, False])
def test_cve_2026_7666_no_mail_goes_in_the_clear_where_tls_failed(settings: Any, monkeypatch: pytest.MonkeyPatch, silently: bool):
    """Django before 5.2.15 used the connection again on which STARTTLS had failed silently."""
    monkeypatch.setattr(_NoTls, "heard", [])
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _NoTls) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("EMAIL_URL", f"smtp+tls://127.0.0.1:{server.server_address[1]}")
        for name, value in env.mail("EMAIL_URL").items():
            setattr(settings, name, value)
        connection = mail.get_connection(fail_silently=silently)
        for _ in range(2):
            with suppress(OSError):
                mail.EmailMessage("A secret", "Nobody's business.", "a@example.org", ["b@example.org"], connection=connection).send()
        server.shutdown()
    assert sum(line.upper().startswith(b"STARTTLS") for line in _NoTls.heard) == 2
    assert not [line for line in _NoTls.heard if line.upper().startswith((b"MAIL", b"RCPT", b"DATA")) or b"secret" in line]


def test_cve_2026_15920_no_address_of_a_script_is_a_link_in_the_admin():
    """The admin made links of what stands in a URLField, whatever its scheme. None of our models has one."""
    fields = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert not [field for field in fields if isinstance(field, models.URLField) and field.model._meta.app_label.startswith("signalbox")]
    assert "href" not in display_for_field("javascript:alert(1)", models.URLField(), "-")


@pytest.mark.parametrize("host", ["a.example\nX-Note: 1", "a.example\r\n", "\na.example"])
def test_cve_2026_53878_no_line_feed_passes_for_a_part_of_a_host(monkeypatch: pytest.MonkeyPatch, host: str):
    """Django's DomainNameValidator let line feeds through. Hosts of ours are read by rules of our own, to their end."""
    monkeypatch.setenv("ALLOWED_HOSTS", f"x.example,{host},y.example")
    monkeypatch.setenv("BASE_URL", f"https://{host}:8000")
    for read in (env.hosts, env.site):
        with suppress(ImproperlyConfigured):
            name = "ALLOWED_HOSTS" if read is env.hosts else "BASE_URL"
            assert not [one for one in read(name, "") if "\n" in one or "\r" in one]
    assert not [
        file for file in ROOT.glob("[cdnw]*/**/*.py") if "node_modules" not in file.parts and "DomainNameValidator" in file.read_text()
    ]


@pytest.mark.parametrize("hop", [":" * 50_000, "[" + "1:" * 20_000 + "]", "::" + "f" * 50_000])
def test_cve_2024_56374_an_address_of_any_length_is_none(settings: Any, hop: str):
    """Django before 5.1.5 read IPv6 addresses of any length. Callers' addresses are read by Python's own ipaddress, which counts first."""
    settings.TRUSTED_PROXY_HOPS = 1
    scope = {"type": "http", "scheme": "http", "client": ("198.51.100.7", 1), "headers": [(b"x-forwarded-for", hop.encode())]}
    assert proxies.believe(scope)["client"] == ("198.51.100.7", 1)
    fields = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert not [field for field in fields if isinstance(field, models.GenericIPAddressField)]


# --- Celery, kombu, redis-py, Channels ---


def test_cve_2021_23727_a_pickled_task_is_not_opened():
    """CVE-2021-23727 and its kin: what a broker holds must not be able to run. Only JSON is read."""
    from workers.celery import app

    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.task_serializer == "json" and app.conf.result_backend is None
    from kombu.serialization import loads

    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps("run me"), "application/x-python-serialize", "binary", accept=app.conf.accept_content)


def test_a_task_that_nobody_registered_is_not_run():
    import workers.tasks  # noqa: F401 (registers them)
    from workers.celery import app

    ours = {name for name in app.tasks if name.startswith("workers.")}
    assert ours
    assert not {name for name in app.tasks if not name.startswith(("workers.", "celery.", "tests."))}


def test_cve_2023_28858_nobody_cancels_a_command_on_a_shared_connection():
    """redis-py gave a cancelled command's answer to the next one. We never cancel receive(): its task lives as long as the hub."""
    from core.delivery import hub

    text = inspect.getsource(hub)
    assert ".receive(" in text
    assert not re.search(r"wait_for\([^)]*receive\(|timeout\([^)]*\):\s+[^\n]*receive\(", text)


def test_cve_2020_35681_every_request_has_a_scope_of_its_own(rf: RequestFactory, settings: Any):
    """Channels shared scopes between requests. What proxies.believe changes is a copy."""
    settings.TRUSTED_PROXY_HOPS = 1
    scope = {"type": "http", "scheme": "http", "client": ("198.51.100.7", 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
    proxies.believe(scope)["client"] = None
    assert scope["client"] == ("198.51.100.7", 1)


def test_every_cve_that_is_tried_here_is_named_in_security_md_and_the_other_way_round():
    named = re.compile(r"(?:CVE-)?(20\d\d)[-_](\d{4,6})", re.I)
    written = set(named.findall((ROOT / "SECURITY.md").read_text()))
    tried = set()
    for name in re.findall(r"def (test_\w*cve_\w+)", (ROOT / "tests/core/test_cves.py").read_text()):
        year = ""
        for part in name.split("_"):
            year = part if re.fullmatch(r"20\d\d", part) else year
            if part.isdigit() and part != year:
                tried.add((year, part))
    assert tried
    assert tried == written
