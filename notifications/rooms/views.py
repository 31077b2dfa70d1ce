"""The pages of rooms. One write path: the composer's form, sent by the browser or by the page's outbox."""

import re
import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET, require_http_methods

from core.delivery import presence
from notifications.rooms import actions, history, mentions, pace, policy, reading, speaking
from notifications.rooms.forms import RoomForm
from notifications.rooms.kinds import drawn_row, member, present, typist_id
from notifications.rooms.models import Membership, Room
from notifications.rooms.people import Person, remember, visitor
from notifications.rooms.text import BadText

MEMBERS = 100  # that are listed
EMOJIS = ("👍", "❤", "😂", "🎉", "👀", "✅")
_OFFSET = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Open a room."""
    request.live.read()  # type: ignore[attr-defined]
    form = RoomForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        room = actions.open_room(given["slug"], title=given["title"], access=given["access"], owner=visitor(request))
        return redirect("rooms:room", slug=room.slug)
    return render(request, "rooms/new.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
def echo(request: HttpRequest) -> HttpResponse:
    """Try the connection by hand: talks to /ws/chat/, which needs no login, no Redis and no room."""
    request.live.read()  # type: ignore[attr-defined]
    return render(request, "rooms/echo.html")


@require_GET
def room(request: HttpRequest, slug: str) -> HttpResponse:
    """A room: what was said, live, and the composer."""
    person = visitor(request)
    found = _room_or_404(slug, person)
    if slug != found.slug:
        return redirect("rooms:room", slug=found.slug, permanent=True)
    page = render(request, "rooms/room.html", _positioned(request, found) | _composer(found, person) | _beside(found, person))
    return remember(page, request, person)


@require_http_methods(["GET", "HEAD", "POST"])
def messages(request: HttpRequest, slug: str) -> HttpResponse:
    """GET: the room's live region, or (`?before=`) the older messages above it. POST: say something."""
    person = visitor(request)
    found = _room_or_404(slug, person)
    if request.method == "POST":
        return remember(_post(request, found, person), request, person)
    template = "rooms/_older.html" if "before" in request.GET else "rooms/_log.html"
    return render(request, template, _log(request, found))


@require_GET
def names(request: HttpRequest, slug: str) -> HttpResponse:
    """Whom one may mean by a name that begins with `q`: for the composer's list."""
    person = visitor(request)
    prefix = request.GET.get("q", "")
    found = _room_or_404(slug, person)
    good = len(prefix) <= 150 and "\0" not in prefix
    return JsonResponse({"names": mentions.offered(found, person, prefix) if good else []})


@require_GET
def at(request: HttpRequest, slug: str, message_id: int) -> HttpResponse:
    """The way to one message: where it stands in the talk, or in its stretch of history."""
    found = _room_or_404(slug, visitor(request))
    message = history.message(found, message_id)
    if message is None:
        return redirect("rooms:room", slug=found.slug)
    after = history.before_newest(found)
    query = f"?after={max(0, message.offset - history.CONTEXT)}" if after is not None and message.offset < after else ""
    return redirect(f"{reverse('rooms:room', args=[found.slug])}{query}#m-{message.pk}")


@require_GET
def people(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is in the room now: the live region of the list beside the talk."""
    return render(request, "rooms/_people.html", _here(request, _room_or_404(slug, visitor(request))))


@require_GET
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is a member: the live region of the list beside the talk."""
    return render(request, "rooms/_members.html", _members(request, _room_or_404(slug, visitor(request))))


def _here(request: HttpRequest, room: Room) -> dict[str, Any]:
    channel = f"presence:room.{room.pk}"
    request.live.read(channel)  # type: ignore[attr-defined]
    drawn = mark_safe("".join(map(present, presence.people(room.channel))))  # each is escaped by its own template
    return {"presence_channel": channel, "people_url": reverse("rooms:people", args=[room.slug]), "present": drawn}


def _room_or_404(slug: str, person: Person) -> Room:
    try:
        return policy.room_for_reader(slug, person)
    except policy.NoSuchRoom as error:
        raise Http404 from error


def _log(request: HttpRequest, room: Room) -> dict[str, Any]:
    """What the live region shows: the newest, or (`before`, `after`) a stretch of history, which new messages do not join.

    Reads the position first: what is numbered after it arrives as an event.
    """
    request.live.read(room.channel)  # type: ignore[attr-defined]
    before, after = _offset(request, "before", least=1), _offset(request, "after", least=0)
    if after is not None:
        rows = history.following(room, after=after, count=history.NEWEST + 1)
        shown, older, newer = rows[: history.NEWEST], after > 0, len(rows) > history.NEWEST
    else:
        rows = history.newest(room, count=history.NEWEST + 1, before=before)
        shown, older, newer = rows[-history.NEWEST :], len(rows) > history.NEWEST, before is not None
    return {
        "room": room,
        "url": reverse("rooms:messages", args=[room.slug]),
        "drawn": mark_safe("".join(map(drawn_row, shown))),  # each is escaped by its own template
        "older": (shown[0].offset if shown else (after or 0) + 1) if older else None,
        "newer": shown[-1].offset if newer and shown else None,
        "past": before is not None or after is not None,
        "log_position": request.live.position(room.channel),  # type: ignore[attr-defined]
    }


def _positioned(request: HttpRequest, room: Room) -> dict[str, Any]:
    """All that is live on the page of a room."""
    person = visitor(request)
    request.live.read(room.channel)  # type: ignore[attr-defined]
    return _here(request, room) | _reading(request, room, person) | _members(request, room) | _log(request, room)


def _offset(request: HttpRequest, name: str, *, least: int) -> int | None:
    text = request.GET.get(name)
    if text is None:
        return None
    if not _OFFSET.fullmatch(text) or int(text) < least:
        raise Http404
    return int(text)


def _reading(request: HttpRequest, room: Room, person: Person) -> dict[str, Any]:
    """How far a member has read, and how much she has not."""
    if person.is_guest:
        return {"read": None}
    channel = f"reading:{person.user_id}"
    request.live.read(channel)  # type: ignore[attr-defined]
    read = reading.position(room, person.user_id)
    unread = 0 if read is None else reading.unread(room, person.user_id, after=read)
    return {"room": room, "reading_channel": channel, "read": read, "unread": unread, "most": reading.MOST}


@require_GET
def read(request: HttpRequest, slug: str) -> HttpResponse:
    """How far this member has read: a live region of the page, for its scripts."""
    person = visitor(request)
    found = _reading(request, _room_or_404(slug, person), person)
    if found["read"] is None:
        raise Http404
    return render(request, "rooms/_read.html", found)


def _beside(room: Room, person: Person) -> dict[str, Any]:
    """What stands around the talk, and what one may do there."""
    role = policy.role(room, person)
    return {
        "level": Membership.objects.filter(room=room, user_id=person.user_id).values_list("level", flat=True).first() or "",
        "levels": Membership.Level.choices,
        "person": person,
        "typist": typist_id(person.handle),
        "role": role,
        "moderates": role in policy.MODERATING,
        "emojis": EMOJIS,
    }


def _members(request: HttpRequest, room: Room) -> dict[str, Any]:
    request.live.read(room.channel)  # type: ignore[attr-defined]
    rows = room.memberships.select_related("user").order_by("joined_at")[:MEMBERS]
    drawn = "".join(member(f"user:{row.user_id}", row.user.get_username(), row.role) for row in rows)
    return {"room": room, "drawn_members": mark_safe(drawn)}  # each is escaped by its own template


def _composer(room: Room, person: Person, *, text: str = "", error: str = "") -> dict[str, Any]:
    # A new client id for each form: sending one form twice says it once.
    return {
        "room": room,
        "url": reverse("rooms:messages", args=[room.slug]),
        "client_id": uuid.uuid4().hex,
        "text": text,
        "error": error,
        "person": person,
    }


def _post(request: HttpRequest, room: Room, person: Person) -> HttpResponse:
    """Say it. A form comes back with what was wrong; who asks for JSON (the page's outbox) gets where the message stands."""
    text = request.POST.get("text", "")
    try:
        message = speaking.speak(room.slug, author=person, text=text, client_id=request.POST.get("client_id", ""))
    except policy.NoSuchRoom as error:
        raise Http404 from error
    except tuple(_REFUSALS) as error:
        return _refused(request, room, person, text=text, error=error)
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"id": message.pk, "offset": message.offset, "deleted": message.deleted_at is not None})
    return redirect("rooms:room", slug=room.slug)


_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    policy.ReadOnly: (403, "This room is archived."),
    policy.Muted: (403, "You may read here, and not write for now."),
    pace.TooFast: (429, ""),
    BadText: (422, ""),
    actions.ClientIdTaken: (409, "The message before was sent. Send again for this one."),
}


def _refused(request: HttpRequest, room: Room, person: Person, *, text: str, error: Exception) -> HttpResponse:
    status, words = _REFUSALS[type(error)]
    words = words or str(error)
    if request.headers.get("Accept") == "application/json":
        answer: HttpResponse = JsonResponse({"error": words}, status=status)
    else:
        shown = _positioned(request, room) | _composer(room, person, text=text, error=words) | _beside(room, person)
        answer = render(request, "rooms/room.html", shown, status=status)
    if isinstance(error, pace.TooFast):
        answer["Retry-After"] = str(error.wait)
    return answer
