"""Who comes through which door: every address, and every call of the API, as everybody. An address that the table does not know fails.

Everybody: a visitor, a stranger who is signed in, a member, the owner, somebody of the staff without any permission. alice owns all that is
here, and has every permission; bob may look at the board, is in the room, and was sent the notification.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from django.utils.module_loading import import_string

from core.middleware import CSP
from core.tokens import make_token, revoke
from tests.support.world import World, make_world

pytestmark = pytest.mark.django_db

EVERYBODY = frozenset({"visitor", "stranger", "member", "owner", "staff"})
SIGNED_IN = EVERYBODY - {"visitor"}
READERS = frozenset({"member", "owner", "staff"})  # of the board: the staff may see all boards
KEEPERS = frozenset({"owner", "staff"})
IN_THE_ROOM = frozenset({"member", "owner"})
OWNER, MEMBER = frozenset({"owner"}), frozenset({"member"})
STAFF = frozenset({"owner", "staff"})

# The first that fits counts.
DOORS: list[tuple[str, frozenset[str]]] = [
    (r"|accounts/log(in|out)/|offline/|favicon.ico|healthz|readyz|metrics|sw.js|rooms/|rooms/echo/", EVERYBODY),
    (r"styleguide/", frozenset()),  # with DEBUG only
    (r"accounts/sessions/<int:pk>/end/", MEMBER),
    (r"accounts/.*", SIGNED_IN),
    (r"unsubscribe/<str:token>/", EVERYBODY),  # the token says who
    (r"inbox/<int:pk>/of/<str:user>/", OWNER),
    (r"inbox/snooze/", MEMBER),
    (r"inbox/<int:pk>/.*", MEMBER),
    (r"preferences/devices/<int:pk>/remove/", MEMBER),
    (r"preferences/muted/", IN_THE_ROOM),
    (r"(inbox|preferences|push)/.*", SIGNED_IN),
    (r"rooms/new/", SIGNED_IN),
    (r"rooms/<slug:slug>/(settings)/", OWNER),
    (r"rooms/<slug:slug>/.*", IN_THE_ROOM),
    (r"dashboards/", EVERYBODY),
    (r"dashboards/new/", SIGNED_IN),
    (r"dashboards/<slug:slug>/(edit/.*|share/)", KEEPERS),
    (r"dashboards/<slug:slug>/<slug:widget>/alerts/(new/|<int:pk>/.*)", KEEPERS),
    (r"dashboards/.*", READERS),
    (r"d/<slug:token>/.*", EVERYBODY),  # the token is the right
    (r"admin/login/", frozenset()),  # leads to the one place where people sign in
    (r"admin/logout/", EVERYBODY),
    (r"admin/(jsi18n/|password_change/.*|)", STAFF),
    (r"admin/live/(disconnect/)?", OWNER),
    (r"admin/.*", OWNER),
]

# What a form must say to get as far as doing something.
FORMS = {
    "inbox/snooze/": {"id": "{pk}", "for": "hour"},
    "inbox/<int:pk>/snooze/": {"for": "hour"},
    "dashboards/<slug:slug>/<slug:widget>/alerts/<int:pk>/mute/": {"minutes": "60"},
}
QUERIES = {"preferences/muted/": "?channel=room:club", "inbox/more/": "?after=1795260887000000-1"}


@pytest.fixture
def world(alice: Any, bob: Any, charlie: Any) -> World:
    return make_world(alice, bob, charlie)


def addresses() -> list[str]:
    """Every pattern of an address, but the API's, and those of the admin's pages of models, which Django makes alike for each."""

    def walk(resolver: Any, before: str = "") -> Iterator[str]:
        for one in resolver.url_patterns:
            if hasattr(one, "url_patterns"):
                yield from walk(one, before + str(one.pattern))
            else:
                yield before + str(one.pattern)

    return sorted({pattern for pattern in walk(get_resolver()) if not _made_by_django(pattern)})


def _made_by_django(pattern: str) -> bool:
    return bool(
        re.match(
            r"\^?api/|admin/(r/|autocomplete/|\^|\(\?P|(auth|django_celery_beat)/|signalbox\w*/\w+/(<path:object_id>/|add/$|$))", pattern
        )
    )


def door_of(pattern: str) -> frozenset[str]:
    for known, who in DOORS:
        if re.fullmatch(known, pattern):
            return who
    raise AssertionError(f"{pattern!r} is in no line of DOORS: say who may come through it.")


def filled_in(pattern: str, world: World) -> str:
    values = world.values.get(pattern.partition("/")[0], {})
    return "/" + re.sub(r"<\w+:(\w+)>", lambda match: str(values[match[1]]), pattern) + QUERIES.get(pattern, "")


def came_in(person: Any, address: str, form: dict[str, str], *, private: bool) -> set[bool]:
    """By GET and by POST: whether somebody was let in. A method that an address does not take says nothing.

    Whatever the answer is, it holds the browser to the policy; of a private page nobody keeps a copy.
    """
    verdicts = set()
    for method in ("get", "post"):
        with transaction.atomic():
            browser = Client()
            if person is not None:
                browser.force_login(person)
            answer = getattr(browser, method)(address, form if method == "post" else None)
            transaction.set_rollback(True)
        hold_to_the_policy(answer, address)
        if answer.status_code != 405:
            to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith(
                ("/accounts/login/?next=", "/admin/login/?next=")
            )
            verdicts.add(answer.status_code not in {401, 403, 404} and not to_sign_in)
            if private and person is not None and answer.status_code == 200:
                assert "no-store" in answer.headers.get("Cache-Control", ""), address
    return verdicts


def hold_to_the_policy(answer: Any, address: str) -> None:
    """Whoever asks for whatever, the answer says what a browser may do with it."""
    headers = {"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
    assert {name: answer.headers.get(name) for name in headers} == headers, address


@pytest.mark.parametrize("pattern", addresses())
def test_a_door_opens_for_whom_it_is_and_for_nobody_else(pattern: str, world: World):
    who = door_of(pattern)
    address = filled_in(pattern, world)
    form = {name: value.format(pk=world.values["inbox"]["pk"]) for name, value in FORMS.get(pattern, {}).items()}
    for name, person in world.people.items():
        verdicts = came_in(person, address, form, private=who != EVERYBODY)
        if name in who:
            assert True in verdicts, f"{name} was not let in at {address}"
        else:
            assert True not in verdicts, f"{name} was let in at {address}"


BY_A_LINK_ALONE = {"unsubscribe/<str:token>/"}  # RFC 8058: mail programs post it by themselves; the signed link is what they know


def test_no_door_takes_a_form_that_none_of_our_pages_made(world: World):
    """Every address by POST, as whom it is for, without the token of a form: refused, or a method that it does not take at all."""
    refused, taken, answers = set(), set(), {}
    for pattern in addresses():
        who = door_of(pattern) or EVERYBODY
        name = next(one for one in ("owner", "member", "staff", "stranger", "visitor") if one in who)
        with transaction.atomic():
            browser = Client(enforce_csrf_checks=True)
            if world.people[name] is not None:
                browser.force_login(world.people[name])
            answer = browser.post(filled_in(pattern, world), FORMS.get(pattern, {}))
            transaction.set_rollback(True)
        answers[pattern] = answer.status_code
        if answer.status_code == 403:
            refused.add(pattern)
        elif answer.status_code != 405:
            taken.add(pattern)
    assert taken == BY_A_LINK_ALONE, {pattern: answers[pattern] for pattern in taken}
    assert len(refused) > 30


def test_a_stranger_cannot_tell_what_is_there_from_what_is_not(world: World):
    stranger = Client()
    stranger.force_login(world.people["stranger"])
    for there, nothing in (
        ("/dashboards/ops/", "/dashboards/no-such/"),
        ("/rooms/club/", "/rooms/no-such/"),
        (f"/inbox/{world.values['inbox']['pk']}/", "/inbox/999999/"),
    ):
        answers = [stranger.get(address) for address in (there, nothing)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert len({re.sub(r"csrf[^>]*|\b(ops|club|no-such|\d+)\b", "", answer.content.decode()) for answer in answers}) == 1


# --- the API ---

DASHBOARD = {"title": "Ops", "widgets": [{"slug": "queue", "kind": "stat", "title": "Queue"}]}
NOTIFIERS = STAFF  # of alice: she herself, and the staff
NOBODY: frozenset[str] = frozenset()  # no channel that comes with Signalbox takes raw events; tests/core/test_api.py tries one that does

# The scope that a token needs, the body, and for whom a token of that scope opens.
CALLS: dict[tuple[str, str], tuple[str, Any, frozenset[str]]] = {
    ("POST", "/api/v1/publish"): ("publish:*", {"channel": "dashboard:ops", "type": "layout.changed", "data": {"revision": 2}}, NOBODY),
    ("GET", "/api/v1/channels/{channel}/events"): ("read:*", None, IN_THE_ROOM),
    ("POST", "/api/v1/notify/{audience}"): ("notify:*", "Backup done", NOTIFIERS),
    ("POST", "/api/v1/notifications"): ("notify:*", {"audience": "user:alice", "title": "x"}, NOTIFIERS),
    ("PATCH", "/api/v1/notifications/by-key/{key}"): ("notify:*", {"title": "y"}, OWNER),
    ("DELETE", "/api/v1/notifications/by-key/{key}"): ("notify:*", None, OWNER),
    ("POST", "/api/v1/broadcasts"): ("broadcast", {"audience": "all", "title": "x"}, OWNER),
    ("GET", "/api/v1/broadcasts/{id}"): ("broadcast", None, OWNER),
    ("POST", "/api/v1/broadcasts/{id}/pause"): ("broadcast", None, OWNER),
    ("POST", "/api/v1/broadcasts/{id}/resume"): ("broadcast", None, OWNER),
    ("POST", "/api/v1/broadcasts/{id}/cancel"): ("broadcast", None, OWNER),
    ("POST", "/api/v1/widgets"): ("push:*", {"ops/queue": 42}, KEEPERS),
    ("POST", "/api/v1/widgets/{dashboard}/{widget}"): ("push:*", 42, KEEPERS),
    ("GET", "/api/v1/dashboards/{slug}"): ("dashboards", None, KEEPERS),
    ("PUT", "/api/v1/dashboards/{slug}"): ("dashboards", DASHBOARD, KEEPERS),
}
REFUSED = {401, 403, 404}


def operations() -> list[tuple[str, str]]:
    from core.api import api

    paths = api.get_openapi_schema()["paths"]
    return sorted(
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    )


def test_every_call_of_the_api_is_in_the_table():
    assert operations() == sorted(CALLS)


@dataclass(frozen=True)
class Call:
    """One call of the API, filled in; `status(person, ...)` is what somebody gets. Nothing of what it did stays."""

    method: str
    address: str
    body: Any

    def status(self, person: Any = None, *, token: str = "", query: str = "") -> int:
        browser = Client(raise_request_exception=False)
        if person is not None:
            browser.force_login(person)
        sent = self.body if isinstance(self.body, str) else json.dumps(self.body) if self.body is not None else ""
        kind = "text/plain" if isinstance(self.body, str) else "application/json"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with transaction.atomic():
            answer = browser.generic(self.method, self.address + query, sent, content_type=kind, headers=headers)
            transaction.set_rollback(True)
        assert answer.status_code < 500
        return int(answer.status_code)


@pytest.fixture
def call_of(world: World) -> Callable[..., Call]:
    from notifications.actions import notify

    owner = world.people["owner"]
    notify(owner, title="x", key="k", sender=owner)
    values = {"channel": "room:club", "audience": "user:alice", "key": "k", "id": world.values["admin"]["pk"], **world.values["dashboards"]}
    values["dashboard"] = "ops"

    def filled(call: tuple[str, str], **other: str) -> Call:
        return Call(call[0], re.sub(r"{(\w+)}", lambda match: str((values | other)[match[1]]), call[1]), CALLS[call][1])

    return filled


each_call = pytest.mark.parametrize("call", sorted(CALLS), ids=lambda call: " ".join(call))


@each_call
def test_a_token_with_the_scope_opens_what_its_owner_may_and_a_session_only_reads_it(
    call: tuple[str, str], world: World, call_of: Callable[..., Call]
):
    scope, _, who = CALLS[call]
    one = call_of(call)
    assert one.status() == 401
    for name in sorted(SIGNED_IN):
        person = world.people[name]
        by_token = one.status(token=make_token(person, "test", [scope])[1])
        assert (by_token not in REFUSED) is (name in who), f"{name}: {by_token}"
        by_session = one.status(person)
        assert (by_session not in REFUSED) is (name in who and call[0] == "GET"), f"{name} by a session: {by_session}"
        if call[0] != "GET":
            assert by_session == 401


@each_call
def test_a_token_that_is_not_valid_or_has_another_scope_opens_nothing(call: tuple[str, str], world: World, call_of: Callable[..., Call]):
    scope, _, who = CALLS[call]
    one, now = call_of(call), timezone.now()
    others = [other for other in ("notify:*", "push:*", "publish:*", "read:*", "broadcast", "dashboards", "critical") if other != scope]
    for name in sorted(SIGNED_IN):
        person = world.people[name]
        assert one.status(token=make_token(person, "test", others)[1]) in ({403} if name in who else {403, 404})
        revoked, text = make_token(person, "test", [scope])
        revoke(revoked, now=now)
        assert one.status(token=text) == 401
        assert one.status(token=make_token(person, "test", [scope], now - timedelta(seconds=1))[1]) == 401
        text = make_token(person, "test", [scope])[1]
        assert one.status(token=text[:-1] + ("a" if text[-1] != "a" else "b")) == 401
        assert one.status(query=f"?token={text}") == 401
        type(person).objects.filter(pk=person.pk).update(is_active=False)
        assert one.status(token=text) == 401
        type(person).objects.filter(pk=person.pk).update(is_active=True)


CHANNELS = {
    "room:club": IN_THE_ROOM, "dashboard:ops": READERS, "user:alice": OWNER, "user:bob": MEMBER, "audience:all": SIGNED_IN,
    "audience:staff": STAFF, "audience:group-{ops}": MEMBER, "broadcast:{broadcast}": OWNER,
    "presence:room.{room}": NOBODY, "system:authority": NOBODY,  # both are refused at every edge but the sockets of who is there
}  # fmt: skip


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_is_read_by_whom_it_is_for(channel: str, world: World, call_of: Callable[..., Call]):
    room = import_string("notifications.rooms.models.Room").objects.get(slug="club").pk
    name = channel.format(ops=world.people["member"].groups.get().pk, broadcast=world.values["admin"]["pk"], room=room)
    one = call_of(("GET", "/api/v1/channels/{channel}/events"), channel=name)
    for who in sorted(SIGNED_IN):
        narrow = make_token(world.people[who], "test", [f"read:{name}"])[1] if not name.startswith("system") else ""
        for status in (
            one.status(world.people[who]),
            one.status(token=make_token(world.people[who], "test", ["read:*"])[1]),
            one.status(token=narrow) if narrow else 404,
        ):
            assert (status == 200) is (who in CHANNELS[channel]), f"{who}: {status}"
    assert one.status() == 401
