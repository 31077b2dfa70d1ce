"""Notifications and broadcasts over HTTP: `curl -H "Authorization: Bearer $T" -d "Backup done" localhost:8000/api/v1/notify/ops`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Status
from ninja.params.functions import Path
from pydantic import StrictFloat, StrictInt, StrictStr

from core.bodies import Strict, text_of
from core.errors import Code, Problem
from core.tokens import Caller
from notifications import actions, audiences, drafts, policy, texts, times
from notifications.audiences import Audience
from notifications.broadcasts import actions as broadcasts
from notifications.errors import AmbiguousAudience, BadNotification, NotAllowed, UnknownAudience, UnknownKey
from notifications.models import Broadcast, InboxItem, Notification, Priority

router = Router(tags=["Notifications"])
# Strict: pydantic would take true for 1.
Time = StrictInt | StrictFloat | StrictStr
PriorityName = StrictInt | StrictStr


def _example(body: Any, answer: Any, *, status: int = 202, kind: str = "application/json") -> dict[str, Any]:
    made: dict[str, Any] = {"responses": {status: {"content": {"application/json": {"example": answer}}}}}
    if body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {kind: {"example": body, "schema": {"type": "string"}} if kind == "text/plain" else {"example": body}},
        }
    return made


class Action(Strict):
    """A button under a notification: a link, or one that posts to a path of this site whose view is made for it."""

    label: str = Field(examples=["Open the log"])
    url: str = Field(examples=["https://ci.example.com/42"])
    method: Literal["get", "post"] = Field("get", description="`post`: pressing it posts there as the one who presses.", examples=["get"])


class Saying(Strict):
    """What a notification says. In a change every field may be left out."""

    title: str | None = Field(None, description="One line, at most 200 characters.", examples=["Backup done"])
    body: str | None = Field(None, description="At most 4000 characters.", examples=["48 GB in 3 min"])
    url: str | None = Field(
        None, description="Where a click leads: http(s), or a path of this site.", examples=["https://ci.example.com/42"]
    )
    category: str | None = Field(None, examples=["backup"])
    priority: PriorityName | None = Field(None, description="low, normal, high, critical, or 1 to 5.", examples=["normal"])
    actions: list[Action] | None = Field(None, description="At most two buttons.")
    expires_at: Time | None = Field(None, description="ISO 8601 with offset, unix seconds, or like 2h.", examples=["2h"])
    deliver_at: Time | None = Field(None, description="The same; without it at once.", examples=["2026-11-21T07:10:00Z"])
    data: dict[str, Any] | None = Field(None, description="Your own, at most 8 KiB of JSON; never shown.", examples=[{"build": 42}])

    def said(self, caller: Caller, *, now: datetime) -> dict[str, Any]:
        """The fields that were sent, as `notify` takes them. Raises BadNotification."""
        values = self.dict(exclude_unset=True, exclude_none=True, exclude={"audience", "key", "send_at"})
        for name in ("expires_at", "deliver_at"):
            if name in values:
                values[name] = times.read(values[name], now=now, field=name)
        if "priority" in values:
            values["priority"] = _priority(caller, values["priority"])
        return values


class Send(Saying):
    audience: str | list[str] = Field(
        description="`user:alice`, `group:ops`, `perm:app.codename`, `watching:<channel>`, `all`, `staff`; "
        "a bare word is a user's name, else a group's.",
        examples=["group:ops"],
    )
    title: str = Field(description="One line, at most 200 characters.", examples=["Backup done"])
    key: str = Field("", description="Your own name for it: the same again replaces.", examples=["backup"])


class Sent(Strict):
    id: int = Field(examples=[4711])
    recipients: int = Field(description="How many people have it.", examples=[3])


SENT = {"id": 4711, "recipients": 3}


@router.post(
    "notify/{path:audience}",
    response={202: Sent},
    summary="Notify by one line of curl",
    openapi_extra=_example("Backup done", SENT, kind="text/plain"),
)
def notify_plainly(
    request: HttpRequest, audience: str = Path(description="Audience words, parted by commas.", example="ops")
) -> Status[dict[str, int]]:
    """Send the body as a notification. Headers: `Title Priority Click Key At Expires Category`.

    Without a Title the first line is it, up to 80 characters. Needs the scope `notify:<audience>`.
    """
    caller, now = _caller(request), timezone.now()
    text = text_of(request, most=texts.BODY)
    title, body = (_header(request, "Title"), text) if _header(request, "Title") else texts.title_and_body(text)
    said: dict[str, Any] = {"title": title, "body": body, "url": _header(request, "Click"), "category": _header(request, "Category")}
    if given := _header(request, "Priority"):
        said["priority"] = _priority(caller, given)
    for name, field in (("At", "deliver_at"), ("Expires", "expires_at")):
        if given := _header(request, name):
            said[field] = times.read(given, now=now, field=name)
    return _sent(actions.notify(_meant(caller, audiences.split(audience)), key=_header(request, "Key"), sender=caller.user, **said))


@router.post(
    "notifications",
    response={202: Sent},
    summary="Notify with everything",
    openapi_extra=_example({"audience": "group:ops", "title": "Backup done", "key": "backup", "priority": "high"}, SENT),
)
def notify_fully(request: HttpRequest, sending: Send) -> Status[dict[str, int]]:
    """Send a notification. It is stored when the answer comes, and then on the screens of all whom it is for.

    Needs the scope `notify:<audience>` for every word of the audience.
    """
    caller = _caller(request)
    words = [sending.audience] if isinstance(sending.audience, str) else sending.audience
    meant = _meant(caller, words)
    said = sending.said(caller, now=timezone.now())
    return _sent(actions.notify(meant, key=sending.key, sender=caller.user, **said))


@router.patch(
    "notifications/by-key/{path:key}",
    response={202: Sent},
    summary="Change what was sent under a key",
    openapi_extra=_example({"title": "Backup failed", "priority": "high"}, SENT),
)
def change_by_key(request: HttpRequest, saying: Saying, key: str = Path(example="backup")) -> Status[dict[str, int]]:
    """Replace the given fields for everybody who has it, on screens too. A key belongs to its sender.

    Whether its sender may tell these people so loudly is asked as for a new one.
    """
    caller = _caller(request)
    key = _own_key(caller, key)
    _require_tellable(caller, key)
    said = saying.said(caller, now=timezone.now())
    if "priority" not in said:
        _require_loudness(caller, max(_out_under(caller, key).values_list("priority", flat=True), default=0))
    return _sent(actions.replace(key, sender=caller.user, **said))


class Withdrawn(Strict):
    recipients: int = Field(description="From how many people it was taken.", examples=[3])


@router.delete(
    "notifications/by-key/{path:key}",
    response={200: Withdrawn},
    summary="Withdraw what was sent under a key",
    openapi_extra=_example(None, {"recipients": 3}, status=200),
)
def withdraw_by_key(request: HttpRequest, key: str = Path(example="backup")) -> dict[str, int]:
    """Take it off every screen and out of every inbox: also by who may no longer tell these people anything."""
    caller = _caller(request)
    return {"recipients": actions.withdraw(_own_key(caller, key), sender=caller.user)}


# --- broadcasts ---


class BroadcastSend(Strict):
    audience: str | list[str] = Field("all", description="The words of notify.", examples=["all"])
    title: str = Field(description="One line, at most 200 characters.", examples=["Maintenance at 22:00"])
    body: str = Field("", examples=["The dashboards will be read-only for ten minutes."])
    markdown: bool = Field(False, description="The body is Markdown, as in the console.", examples=[True])
    url: str = Field("", examples=["https://status.example.com/"])
    category: str = Field("broadcast", examples=["broadcast"])
    priority: PriorityName = Field("normal", examples=["normal"])
    actions: list[Action] = Field(default_factory=list)
    expires_at: Time | None = Field(None, examples=["2h"])
    send_at: Time | None = Field(None, description="Without it at once.", examples=["2026-11-21T22:00:00Z"])
    data: dict[str, Any] | None = Field(None, description="Your own, at most 8 KiB of JSON; never shown.", examples=[{"window": 7}])


class BroadcastState(Strict):
    id: int = Field(examples=[12])
    state: str = Field(description="scheduled, sending, paused, cancelled or done.", examples=["sending"])
    reason: str = Field(description="Why it was not sent, or not to everybody, in words; else empty.", examples=[""])
    title: str = Field(examples=["Maintenance at 22:00"])
    audience: list[str] = Field(examples=[["all"]])
    total: int = Field(description="How many people are meant.", examples=[1200])
    written: int = Field(description="How many have it in their inbox; it is on open pages at once.", examples=[300])
    send_at: datetime | None = Field(examples=[None])
    sent_at: datetime | None = Field(examples=["2026-11-21T22:00:00Z"])
    finished_at: datetime | None = Field(examples=[None])


STATE = {
    "id": 12, "state": "sending", "reason": "", "title": "Maintenance at 22:00", "audience": ["all"], "total": 1200, "written": 300,
    "send_at": None, "sent_at": "2026-11-21T22:00:00Z", "finished_at": None,
}  # fmt: skip


@router.post(
    "broadcasts",
    response={202: BroadcastState},
    summary="Send a broadcast",
    openapi_extra=_example({"audience": "all", "title": "Maintenance at 22:00"}, STATE),
)
def send_broadcast(request: HttpRequest, sending: BroadcastSend) -> Status[dict[str, Any]]:
    """Say something to everybody, or to an audience of any size. Needs the scope `broadcast`, and its owner's permission to send."""
    caller, now = _caller(request), timezone.now()
    _require_broadcast(caller)
    said = sending.dict(exclude={"audience", "priority", "send_at", "expires_at"})
    for name in ("send_at", "expires_at"):
        given = getattr(sending, name)
        said[name] = times.read(given, now=now, field=name) if given is not None else None
    meant = audiences.resolve(sending.audience)
    policy.check_may_watch(caller.user, meant)
    made = actions.broadcast(meant, priority=_priority(caller, sending.priority), sender=caller.user, **said)
    return Status(202, _state(made))


@router.get(
    "broadcasts/{id}",
    response=BroadcastState,
    summary="How far a broadcast is",
    openapi_extra=_example(None, STATE, status=200),
)
def broadcast_state(request: HttpRequest, id: int = Path(ge=1, le=2**63 - 1, example=12)) -> dict[str, Any]:
    """Where a broadcast stands. Needs the scope `broadcast`, and its owner's permission to send."""
    return _state(_steerable(request, id))


class Cancel(Strict):
    withdraw: bool = Field(False, description="Take it off every screen and out of every inbox, too.", examples=[True])


@router.post(
    "broadcasts/{id}/pause",
    response={200: BroadcastState},
    summary="Pause a broadcast",
    openapi_extra=_example(None, STATE | {"state": "paused"}, status=200),
)
def pause_broadcast(request: HttpRequest, id: int = Path(ge=1, le=2**63 - 1, example=12)) -> dict[str, Any]:
    """Write no more inbox rows, or do not begin, until it is resumed. 409 where it is neither scheduled nor being sent."""
    made = _steerable(request, id)
    return _state(broadcasts.pause(made, by=_caller(request).user))


@router.post(
    "broadcasts/{id}/resume",
    response={200: BroadcastState},
    summary="Resume a broadcast",
    openapi_extra=_example(None, STATE, status=200),
)
def resume_broadcast(request: HttpRequest, id: int = Path(ge=1, le=2**63 - 1, example=12)) -> dict[str, Any]:
    """Go on where it was paused: nobody twice, nobody missed. 409 where it is not paused."""
    made = _steerable(request, id)
    return _state(broadcasts.resume(made, by=_caller(request).user))


@router.post(
    "broadcasts/{id}/cancel",
    response={200: BroadcastState},
    summary="Cancel a broadcast",
    openapi_extra=_example({"withdraw": True}, STATE | {"state": "cancelled"}, status=200),
)
def cancel_broadcast(request: HttpRequest, cancel: Cancel | None = None, id: int = Path(ge=1, le=2**63 - 1, example=12)) -> dict[str, Any]:
    """Reach nobody else; with `withdraw` it leaves screens and inboxes, also after it is done. 409 where there is nothing to cancel."""
    made = _steerable(request, id)
    return _state(broadcasts.cancel(made, withdraw=cancel is not None and cancel.withdraw, by=_caller(request).user))


# --- what they share ---


def _caller(request: HttpRequest) -> Caller:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return caller


def _header(request: HttpRequest, name: str) -> str:
    """A header's text. HTTP hands it over as Latin-1, and senders write UTF-8. Raises Problem (422)."""
    try:
        return request.headers.get(name, "").encode("latin-1").decode().strip()
    except UnicodeError:
        raise Problem(Code.NOT_TEXT, f"The header {name} is not UTF-8.", field=name) from None


def _meant(caller: Caller, words: list[str]) -> Audience:
    """The audience, if the caller's scopes and her owner's rights cover it. Raises BadNotification, Problem (403)."""
    # Before anything is looked up: a token learns nothing about names that it was not made for.
    _require_words(caller, words)
    try:
        meant = audiences.resolve(words)
    except (UnknownAudience, AmbiguousAudience):
        if not policy.may_notify_anybody(caller.user):
            raise policy.unknown_to(caller.user) from None
        raise
    # What a bare word turned out to be, too.
    _require_words(caller, meant.shown)
    policy.check_may_notify(caller.user, meant)
    return meant


def _require_words(caller: Caller, words: Iterable[str]) -> None:
    for word in words:
        caller.require(*_spellings(word))


def _spellings(word: str) -> list[str]:
    """The scopes that cover a word. A token made for `ops` may say `group:ops`, and the other way round."""
    prefix, colon, name = word.strip().partition(":")
    name = name.strip()
    return (
        [f"notify:{prefix}:{name}", f"notify:{name}"] if colon else [f"notify:{prefix}", f"notify:group:{prefix}", f"notify:user:{prefix}"]
    )


def _own_key(caller: Caller, key: str) -> str:
    """The key as it is stored. Raises UnknownKey, or Problem (403) where the token's scopes do not cover whom it was sent to."""
    key = texts.key(key)
    known = list(_out_under(caller, key).values_list("audience", flat=True))
    if not known or not key:
        raise UnknownKey("You have sent nothing under this key, or it was withdrawn or has expired.", field="key")
    for words in known:
        _require_words(caller, words)
    return key


def _out_under(caller: Caller, key: str) -> QuerySet[Notification]:
    return Notification.objects.filter(owner=actions.owner_of(caller.user), key=key, withdrawn_at=None)


def _require_tellable(caller: Caller, key: str) -> None:
    """Refuse, as a new one would be, what reaches somebody whom the owner may not tell, or no longer. Raises UnknownAudience."""
    held = InboxItem.objects.filter(notification__in=_out_under(caller, key))
    people = set(held.values_list("user_id", flat=True))
    if policy.still_tellable(caller.user, people, Priority.NORMAL) != people:
        raise policy.unknown_to(caller.user)


def _require_broadcast(caller: Caller) -> None:
    caller.require("broadcast")
    if not policy.may_broadcast(caller.user):
        raise NotAllowed("The token's owner may not send broadcasts.", field="Authorization")


def _priority(caller: Caller, word: object) -> Priority:
    priority = drafts.priority_named(word)
    _require_loudness(caller, priority)
    return priority


def _require_loudness(caller: Caller, priority: int) -> None:
    if priority == Priority.CRITICAL:
        caller.require("critical")
        policy.check_priority(caller.user, Priority.CRITICAL)


def _sent(sent: actions.Sent) -> Status[dict[str, int]]:
    if not sent.recipients:
        raise BadNotification("Nobody active is in this audience.", field="audience")
    return Status(202, {"id": sent.id, "recipients": sent.recipients})


def _steerable(request: HttpRequest, id: int) -> Broadcast:
    """A broadcast, for who may send. Raises Problem."""
    _require_broadcast(_caller(request))
    made = Broadcast.objects.select_related("notification").filter(pk=id).first()
    if made is None:
        raise Problem(Code.NOT_FOUND, f"There is no broadcast {id}.", field="id")
    return made


def _state(made: Broadcast) -> dict[str, Any]:
    return {
        "id": made.pk,
        "state": made.state,
        "reason": made.reason,
        "title": made.notification.title,
        "audience": made.audience["shown"],
        "total": made.total,
        "written": made.written,
        "send_at": made.send_at,
        "sent_at": made.sent_at,
        "finished_at": made.finished_at,
    }
