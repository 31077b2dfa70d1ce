from django.contrib import admin
from django.http import JsonResponse
from django.urls import include, path
from shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.front, name="front"),
    path("restock/", views.restock),
    path("order/", views.order),
    path("api/v1/stock/", lambda request: JsonResponse({"error": "mine"}, status=404)),
    path("", include("signalbox.urls")),
]
