from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.actions import record
from notifications.actions import notify
from shop.models import Order


def front(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/front.html")


def restock(request: HttpRequest) -> HttpResponse:
    """Somebody counted the apples."""
    record("shop/apples", int(request.GET["apples"]))
    notify("user:anna", title="The apples were counted")
    return HttpResponse("Thank you.")


def order(request: HttpRequest) -> HttpResponse:
    """Somebody wants apples. Anna is told by the signal of the row."""
    Order.objects.create(number=int(request.GET["number"]))
    return HttpResponse("Thank you.")
