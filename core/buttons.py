"""Which addresses a button in a notification may POST to: those whose view says so.

Whoever may send could else put "OK" on a button that signs its reader out, or deletes what only she may delete.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve


def pressable(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a notification's button POST to this view. Outermost decorator.

    Nothing comes with the press but who presses and the CSRF token. The view asks its permissions as for any POST, and bears to be
    pressed by somebody who has read no more than the button. Its redirects are for pages; a button in a list stays where it is.
    """

    @wraps(view)
    def pressed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if request.headers.get("HX-Request") and 300 <= response.status_code < 400:
            return HttpResponse(status=204)
        return response

    pressed.pressable = True  # type: ignore[attr-defined]
    return pressed


def may_be_pressed(address: str) -> bool:
    """Whether this is a path of this site with a pressable view."""
    try:
        view = resolve(address.partition("?")[0].partition("#")[0]).func
    except Resolver404:
        return False
    return bool(getattr(view, "pressable", False))
