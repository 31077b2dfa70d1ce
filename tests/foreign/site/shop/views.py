from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.actions import record
from notifications.actions import notify


def front(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/front.html")


def restock(request: HttpRequest) -> HttpResponse:
    """Somebody counted the apples."""
    record("shop/apples", int(request.GET["apples"]))
    notify("user:anna", title="The apples were counted")
    return HttpResponse("Thank you.")
