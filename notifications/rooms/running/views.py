"""The settings page of a room, and joining and leaving it. Owners do everything; moderators look after people."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from notifications.rooms import policy
from notifications.rooms.forms import SettingsForm
from notifications.rooms.models import Membership, Message, Room
from notifications.rooms.people import Person, visitor
from notifications.rooms.running import actions
from notifications.rooms.running.actions import NotPossible

MUTED_FOR = 600  # seconds
LISTED = 200


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """What the room is like and who is in it. A refusal looks like absence."""
    request.live.read()  # type: ignore[attr-defined]
    person = visitor(request)
    room = _room_or_404(slug, person)
    role = policy.role(room, person)
    if role not in policy.MODERATING:
        raise Http404
    if request.method != "POST":
        return _page(request, room, role)
    do = request.POST.get("do", "")
    if do == "settle" and role == "owner":
        return _settle(request, room, role)
    found = _FOR_PEOPLE.get(do) or (_FOR_OWNERS.get(do) if role == "owner" else None)
    if found is None:
        raise Http404
    try:
        found(request, room)
    except NotPossible as error:
        return _page(request, room, role, error=str(error), status=422)
    return redirect("rooms:settings", slug=room.slug)


@require_POST
def membership(request: HttpRequest, slug: str) -> HttpResponse:
    """Join, leave, or say what of the room to be told of (`do`: join, leave, level)."""
    person = visitor(request)
    room = _room_or_404(slug, person)
    try:
        if request.POST.get("do") == "level":
            actions.set_level(room, user_id=person.user_id, level=request.POST.get("level", ""))
            return redirect("rooms:room", slug=room.slug)
        if request.POST.get("do") == "leave":
            actions.leave(room, user_id=person.user_id)
            return redirect("rooms:directory")
        actions.join(room, person)
    except NotPossible as error:
        return HttpResponse(str(error), status=422, content_type="text/plain")
    return redirect("rooms:room", slug=room.slug)


def _settle(request: HttpRequest, room: Room, role: str) -> HttpResponse:
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _page(request, room, role, form=form, status=422)
    actions.settle(room, **form.cleaned_data)
    return redirect("rooms:settings", slug=room.slug)


def _room_or_404(slug: str, person: Person) -> Room:
    try:
        return policy.room_for_reader(slug, person)
    except policy.NoSuchRoom as error:
        raise Http404 from error


def _page(request: HttpRequest, room: Room, role: str, *, form: Any = None, error: str = "", status: int = 200) -> HttpResponse:
    names = ("title", "access", "slow_seconds", "keep_days")
    in_force = room.restrictions.exclude(until__lt=timezone.now()).order_by("name")[:LISTED]
    shown = {
        "room": room,
        "owns": role == "owner",
        "form": form or SettingsForm({name: getattr(room, name) for name in names}),
        "members": room.memberships.select_related("user").order_by("joined_at")[:LISTED],
        "restrictions": in_force,
        "roles": Membership.Role.choices,
        "error": error,
    }
    return render(request, "rooms/settings.html", shown, status=status)


# --- what may be done ---


def _whom(request: HttpRequest, room: Room) -> dict[str, str]:
    """Who is meant: the author of a message, or a member. Keys are never taken from the client."""
    if "message" in request.POST:
        message = get_object_or_404(Message, room=room, pk=_number(request, "message"))
        return {"who": message.author, "name": message.name}
    member = get_object_or_404(Membership.objects.select_related("user"), room=room, pk=_number(request, "member"))
    return {"who": f"user:{member.user_id}", "name": member.user.get_username()}


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not policy.is_key(text):
        raise Http404
    return int(text)


def _ban_address(request: HttpRequest, room: Room) -> None:
    message = get_object_or_404(Message, room=room, pk=_number(request, "message"))
    if not message.address:
        raise NotPossible("Only guests are kept out by their address.")
    actions.ban(room, who=f"address:{message.address}", name=f"guests from {message.address}")


def _set_role(request: HttpRequest, room: Room) -> None:
    member = get_object_or_404(Membership, room=room, pk=_number(request, "member"))
    actions.set_role(room, user_id=member.user_id, role=request.POST.get("role", ""))


_Deed = Callable[[HttpRequest, Room], None]
_FOR_PEOPLE: dict[str, _Deed] = {
    "invite": lambda request, room: actions.invite(room, username=request.POST.get("username", "")),
    "remove": lambda request, room: actions.remove(room, **_whom(request, room)),
    "mute": lambda request, room: actions.mute(room, **_whom(request, room), seconds=MUTED_FOR),
    "ban": lambda request, room: actions.ban(room, **_whom(request, room)),
    "ban_address": _ban_address,
    "lift": lambda request, room: actions.lift(room, restriction_id=_number(request, "restriction")),
}
_FOR_OWNERS: dict[str, _Deed] = {
    "role": _set_role,
    "archive": lambda request, room: actions.archive(room, archived=True),
    "reopen": lambda request, room: actions.archive(room, archived=False),
}
