"""What was found in Django, Daphne, Twisted, Channels, Celery and redis-py in the last two years, tried on us: SECURITY.md lists them.

The versions that we pin have the fixes; these tests hold what we build on them, and that a later change does not open the same door again.
"""

import asyncio
import io
import os
import pickle
import re
import socket
import socketserver
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest
import redis.asyncio
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.admin.utils import display_for_field
from django.contrib.auth import hashers
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.asgi import ASGIRequest
from django.db import models
from django.test import Client, RequestFactory
from django.utils import timezone
from kombu.exceptions import ContentDisallowed

from core import env, proxies, redis_addresses
from core.models import SignIn
from tests.support.servers import ROOT, Valkey, Web, make_site


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
    """CVE-2026-42304: names that point to themselves hang `twisted.names`. No process of ours loads it, by whatever way."""
    everything = "import core.asgi, core.daphne_protocol, daphne.server, workers.celery, workers.tasks, sys; print(sorted(sys.modules))"
    code = f"from daphne.server import Server; {everything}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "core.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "'twisted.web.http'" in done.stdout and "'twisted.names" not in done.stdout


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


def test_cve_2025_48432_a_path_writes_no_line_of_its_own_into_the_log(web: Web):
    """Django before 5.2.3 wrote the path of a request into the log as it was."""
    say(web, b"GET /nothing%0A2026-01-01T00:00:00Z%20INFO%20core:%20forged%1b[2J HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert still_serves(web)
    assert not [line for line in web.output().splitlines() if line.startswith("2026-01-01") or "\x1b" in line]


SLOW = [
    "django.utils.html.strip_tags", "django.utils.html.urlize", "django.utils.html.Urlizer.__call__", "django.utils.text.wrap",
    "django.utils.text.Truncator.chars", "django.utils.text.Truncator.words", "django.template.defaultfilters.strip_tags",
    "django.template.defaultfilters._urlize", "django.template.defaultfilters.Truncator", "django.template.defaultfilters.wrap",
]  # fmt: skip


@pytest.mark.django_db
def test_cve_2024_53907_2025_26699_32873_and_2026_1285_no_slow_filter_of_html_sees_what_people_write(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
):
    """strip_tags(), wordwrap, urlize and the truncation of HTML were slow on purpose-made text, four times over."""
    from dashboard import actions as boards
    from dashboard.models import Access, Dashboard, Widget
    from notifications.actions import notify
    from notifications.rooms import actions as rooms
    from notifications.rooms.models import Room
    from notifications.rooms.people import Person

    for name in SLOW:
        monkeypatch.setattr(name, Mock(side_effect=AssertionError(f"{name} was called")))
    club = rooms.open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(bob))
    for made in ("<" * 3900, "</" * 1900, "&" * 3900, "a " * 1900, "www." * 900, "(" * 3800 + ".com", "<a " * 1200, "<!--" * 900):
        notify(bob, title=made[:150], body=made, sender=alice)
        notify(bob, title="x", body=made, markdown=True, sender=alice)
        rooms.post_message(club, author=Person.of_user(bob), text=f"x{made}"[:3900])
        board = boards.save_dashboard(
            Dashboard(slug=f"b{len(Dashboard.objects.all())}x", title=made[:100], access=Access.PUBLIC, owner=bob)
        )
        boards.save_widget(Widget(dashboard=board, slug="w", kind="stat", title=made[:100]))
    browser = Client()
    browser.force_login(bob)
    boards_too = [one.get_absolute_url() for one in Dashboard.objects.all()]
    for page in ("/inbox/", "/rooms/", "/rooms/club/", "/dashboards/", *boards_too):
        answer = browser.get(page)
        assert answer.status_code == 200, page
    assert "&lt;&lt;&lt;" in browser.get("/inbox/").content.decode()


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


@pytest.mark.django_db
def test_cve_2026_4277_and_4292_forged_lists_and_inlines_of_the_admin_change_nothing(bob: Any):
    """Permissions were not checked on `list_editable` forms and on inlines of models that one may only look at."""
    from dashboard import actions as boards
    from dashboard.models import Access, Dashboard, Role

    board = boards.save_dashboard(Dashboard(slug="ops", title="Ops", access=Access.ROLES))
    bob.is_staff = True
    bob.save()
    browser = Client()
    browser.force_login(bob)
    new = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 0, "0-dashboard": board.pk, "0-user": bob.pk, "0-level": 3, "0-id": "", "0-access": "public"}
    forms = {f"{prefix}-{name}": value for prefix in ("form", "roles") for name, value in new.items()}
    whole = {**forms, "slug": "ops", "title": "Ops", "access": "roles", "owner": "", "_save": "Save"}
    root = "/admin/signalbox_dashboard/dashboard/"
    for allowed in (["view_dashboard"], ["view_dashboard", "view_role"], ["view_dashboard", "change_dashboard", "view_role"]):
        bob.user_permissions.set(Permission.objects.filter(codename__in=allowed))
        assert browser.get(root).status_code == 200
        for address in (root, f"{root}{board.pk}/change/"):
            assert browser.post(address, whole | {"form-0-id": board.pk, "form-INITIAL_FORMS": 1}).status_code < 500
        assert not Role.objects.exists()
        assert Dashboard.objects.get().access == Access.ROLES


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["application/xml", "text/xml", "application/x-yaml"])
def test_cve_2025_64460_no_door_takes_xml(kind: str):
    """Django's XML deserializer was slow on purpose-made text. Nothing of ours reads any."""
    answer = Client().post("/api/v1/notifications", b"<a>" * 1000, content_type=kind)
    assert answer.status_code in {401, 415, 422}


@pytest.mark.django_db
@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_cve_2025_59682_2026_15307_and_53877_no_archive_and_no_raster_is_opened(alice: Any, archive: str):
    """Django's archive.extract() and GDAL classes followed paths and lengths inside files. A list of names is text."""
    from notifications.models import Broadcast

    held = io.BytesIO()
    if archive == "zip":
        with zipfile.ZipFile(held, "w") as packed:
            packed.writestr("../../evil.yaml", "title: x")
    else:
        with tarfile.open(fileobj=held, mode="w:gz") as packed:
            packed.addfile(tarfile.TarInfo("../../evil.yaml"))
    browser = Client()
    browser.force_login(alice)
    file = SimpleUploadedFile(f"people.{archive}", held.getvalue(), content_type="text/csv")
    sent = {"title": "x", "priority": "2", "audience": "names", "names": "", "file": file, "zone": "UTC", "intent": archive}
    answer = browser.post("/admin/signalbox_notifications/broadcast/add/", sent)
    assert answer.status_code in {200, 422} and "file" in answer.context["form"].errors
    assert not Broadcast.objects.exists()
    loaded = [name for name in sys.modules if name == "django.utils.archive" or name.startswith("django.contrib.gis")]
    assert loaded == []


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


@pytest.mark.django_db
def test_cve_2026_15920_no_address_of_a_script_is_a_link_in_the_admin(alice: Any):
    """The admin made links of what stands in a URLField, whatever its scheme."""
    from core.models import Run
    from notifications.models import Notification

    now, evil = timezone.now(), "javascript:alert(1)"
    made = Notification.objects.create(
        title=evil, url=evil, key=evil, body=evil, created_at=now, updated_at=now, actions=[{"label": "x", "url": evil}]
    )
    Run.objects.create(key="x", title=evil, url=evil, lease_until=now)
    alice.is_superuser = True
    alice.save()
    browser = Client()
    browser.force_login(alice)
    for page in ("", f"{made.pk}/change/", f"{made.pk}/history/"):
        shown = browser.get(f"/admin/signalbox_notifications/notification/{page}").content.decode()
        assert evil in shown
        assert not re.search(r"(?:href|src|action)=[\"\']?\s*javascript:", shown, re.I), page
    assert "href" not in display_for_field(evil, models.URLField(), "-")


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


@pytest.mark.valkey
async def test_cve_2023_28858_the_answer_of_a_cancelled_command_goes_to_nobody(valkey: Valkey):
    """redis-py gave a cancelled command's answer to the next one on that connection. Our broker gives up its commands after 100 ms."""
    address = redis_addresses.read(valkey.url)
    with address.client() as other:
        other.mset({"cancelled": "cancelled", "next": "next"})
        async with redis.asyncio.from_url(valkey.url, single_connection_client=True) as client:
            assert await client.get("next") == b"next"
            for _ in range(5):
                other.client_pause(250)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.get("cancelled"), 0.05)
                assert await client.get("next") == b"next"


def test_cve_2020_35681_every_request_has_a_scope_of_its_own(rf: RequestFactory, settings: Any):
    """Channels shared scopes between requests. What proxies.believe changes is a copy."""
    settings.TRUSTED_PROXY_HOPS = 1
    scope = {"type": "http", "scheme": "http", "client": ("198.51.100.7", 1), "headers": [(b"x-forwarded-for", b"203.0.113.9")]}
    proxies.believe(scope)["client"] = None
    assert scope["client"] == ("198.51.100.7", 1)


def test_every_row_of_security_md_names_its_tests_and_every_test_of_a_number_has_a_row():
    """A row: the numbers, what it was, what holds here, and the test, whose name holds the numbers."""
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", (ROOT / "tests/core/test_cves.py").read_text(), re.M))
    table = (ROOT / "SECURITY.md").read_text().partition("## Known holes")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if re.match(r"\| (CVE-|Twisted)", line)]
    assert len(rows) > 20 and all(len(row) == 4 and all(row) for row in rows)
    named = [re.fullmatch(r"`(test_\w+)`", row[3]) for row in rows]
    assert None not in named, "the last cell is the test's name"
    assert {name[1] for name in named if name} == {test for test in tests if re.search(r"_(cve_20\d\d|twisted)_\d", test)}
    for row in rows:
        for year, number in re.findall(r"(?:CVE-(20\d\d)-|Twisted)[- ]?(\d{4,6})", row[0]):
            assert number in row[3] and year in row[3], row[0]
