"""The server's side of web push: the key to subscribe with, and the subscriptions of a person's browsers."""

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse, RawPostDataException
from django.middleware.csrf import get_token
from django.views.decorators.http import require_GET, require_POST

from core import browsers
from notifications import subscribing
from notifications.errors import BadNotification
from notifications.transports import push

MAX_BODY = 4096


@login_required
@require_GET
def key(request: HttpRequest) -> HttpResponse:
    """`{"key": "..."}` for `pushManager.subscribe`, empty where web push is not set up here; `token`: what a service worker posts with."""
    return JsonResponse({"key": push.public_key(), "token": get_token(request)})


@login_required
@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Takes `JSON.stringify(subscription)`; 201 `{"id": ...}`, or 422 with what was wrong."""
    try:
        made = subscribing.subscribe(request.user, _body(request), device=browsers.named(request.headers.get("User-Agent", "")))
    except BadNotification as error:
        return JsonResponse({"detail": str(error), "field": error.field}, status=422)
    return JsonResponse({"id": made.pk}, status=201)


@login_required
@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Takes `{"endpoint": ...}`; 204 whether there was one or not."""
    body = _body(request)
    subscribing.unsubscribe(request.user, body.get("endpoint") if isinstance(body, dict) else None)
    return HttpResponse(status=204)


def _body(request: HttpRequest) -> Any:
    """The JSON of a small body; None where it is none."""
    try:
        return json.loads(request.body) if len(request.body) <= MAX_BODY else None
    except (ValueError, RecursionError, RawPostDataException):  # the last: somebody sent a form with files
        return None
