"""One message: edit, delete, react. Works as plain forms; the page's script sends the same ones."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from notifications.rooms import actions, policy
from notifications.rooms.models import Message, Room
from notifications.rooms.people import Person, visitor
from notifications.rooms.text import BadText

LARGEST_ID = 2**63 - 1


@require_http_methods(["GET", "HEAD", "POST"])
def message(request: HttpRequest, slug: str, message_id: int) -> HttpResponse:
    """GET: the form that edits one's own message. POST: `do` is edit, delete or react."""
    person = visitor(request)
    try:
        room = policy.room_for_member(slug, person)
        if message_id > LARGEST_ID:
            raise Http404
        if request.method != "POST":
            return _form(request, room, _own(room, message_id, person))
        return _done(request, room, message_id, person)
    except (policy.NoSuchRoom, actions.NoSuchMessage) as error:
        raise Http404 from error
    except policy.Muted:
        return HttpResponse("You may read here, and not write for now.", status=403, content_type="text/plain")
    except policy.ReadOnly:
        return HttpResponse("This room is archived.", status=403, content_type="text/plain")


def _done(request: HttpRequest, room: Room, message_id: int, person: Person) -> HttpResponse:
    do = _DO.get(request.POST.get("do", ""))
    if do is None:
        return HttpResponse("There is edit, delete and react.", status=422, content_type="text/plain")
    try:
        do(request, room, message_id, person)
    except BadText as error:
        if request.POST["do"] == "edit":
            return _form(request, room, _own(room, message_id, person), text=request.POST.get("text", ""), error=str(error), status=422)
        return HttpResponse(str(error), status=422, content_type="text/plain")
    if request.headers.get("Accept") == "application/json":
        return HttpResponse(status=204)
    return redirect(f"{reverse('rooms:room', args=[room.slug])}#m-{message_id}")


def _edit(request: HttpRequest, room: Room, message_id: int, person: Person) -> None:
    actions.edit_message(room, message_id=message_id, author=person, text=request.POST.get("text", ""))


def _delete(request: HttpRequest, room: Room, message_id: int, person: Person) -> None:
    actions.delete_message(room, message_id=message_id, by=person, moderates=policy.moderates(room, person))


def _react(request: HttpRequest, room: Room, message_id: int, person: Person) -> None:
    actions.react(room, message_id=message_id, by=person, emoji=request.POST.get("emoji", ""))


_DO: dict[str, Callable[[HttpRequest, Room, int, Person], None]] = {"edit": _edit, "delete": _delete, "react": _react}


def _own(room: Room, message_id: int, person: Person) -> Message:
    return get_object_or_404(Message, room=room, pk=message_id, author=person.key, deleted_at=None)


def _form(
    request: HttpRequest, room: Room, message: Message, *, text: str | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    request.live.read()  # type: ignore[attr-defined]
    shown = {"room": room, "message": message, "text": message.text if text is None else text, "error": error}
    return render(request, "rooms/message.html", shown, status=status)
