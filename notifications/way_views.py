"""One notification as staff look at it: what became of it for somebody, and why not."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from notifications import ways, why
from notifications.models import InboxItem
from notifications.rows import Row


@login_required
@require_GET
def item_of(request: HttpRequest, pk: int, user: str) -> HttpResponse:
    """Somebody's copy of a notification, for staff who may see deliveries. Looking changes nothing for her."""
    request.live.read()  # type: ignore[attr-defined]
    me: Any = request.user
    if not (me.is_staff and me.has_perm("signalbox_notifications.view_delivery")) or pk >= 2**63:
        raise Http404
    try:
        key = get_user_model()._meta.pk.to_python(user)
    except ValidationError:
        raise Http404 from None
    item = InboxItem.objects.filter(notification=pk, user=key).select_related("notification__sender", "user").first()
    if item is None:
        raise Http404
    context = {"item": item, "row": Row.of_item(item), "ways": ways.of_item(item, now=timezone.now(), own=False)}
    context["why"] = why.told(item.user, item.notification.audience, own=False)
    return render(request, "notifications/item_of.html", context)
