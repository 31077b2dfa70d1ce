"""Every address over HTTP. Apps bring their own in `<app>/urls.py`."""

from django.contrib import admin
from django.urls import include, path

from core import views

urlpatterns = [
    path("", views.home_page, name="home"),
    path("accounts/", include("core.account_urls")),
    path("styleguide/", views.style_guide, name="styleguide"),
    path("offline/", views.offline, name="offline"),
    path("admin/", admin.site.urls),
    path("", include("notifications.urls")),
    path("dashboards/", include("dashboard.urls")),
    path("rooms/", include("notifications.rooms.urls")),
]
