"""Every address over HTTP. Apps bring their own in `<app>/urls.py`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("notifications.urls")),
    path("dashboards/", include("dashboard.urls")),
    path("rooms/", include("notifications.rooms.urls")),
]
