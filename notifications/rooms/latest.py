"""A room's newest messages as a small live region of their own, for pages of other apps: a board's tile takes it by its address."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from notifications.rooms import history, policy
from notifications.rooms.kinds import drawn_row
from notifications.rooms.people import visitor

SHOWN = 20


@never_cache
@require_safe
def region(request: HttpRequest, slug: str) -> HttpResponse:
    """The region, for whoever may read the room; for everybody else there is none."""
    try:
        room = policy.room_for_reader(slug, visitor(request))
    except policy.NoSuchRoom as error:
        raise Http404 from error
    request.live.read(room.channel)  # type: ignore[attr-defined]
    # mark_safe: each is escaped by its own template.
    drawn = mark_safe("".join(map(drawn_row, history.newest(room, count=SHOWN))))
    return render(request, "rooms/_latest.html", {"room": room, "drawn": drawn, "shown": SHOWN})
