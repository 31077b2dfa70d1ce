"""Every address over HTTP. Apps bring their own in `<app>/urls.py`."""

from django.contrib import admin
from django.urls import include, path, re_path

from core import errors, health, living, person_pages, views
from core.api import api

handler400, handler403, handler404 = "core.clean.malformed", "core.clean.not_yours", "core.clean.not_there"
handler500 = "core.unavailable.broke"
urlpatterns = [
    path("", views.home_page, name="home"),
    path("accounts/", include("core.account_urls")),
    path("styleguide/", views.style_guide, name="styleguide"),
    path("offline/", views.offline, name="offline"),
    path("favicon.ico", views.favicon),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", health.metrics),
    path("api/v1/", api.urls),
    re_path(r"^api/", errors.unknown_path),
    path("admin/login/", views.admin_sign_in),
    path("admin/live/", admin.site.admin_view(living.page), name="admin-live"),
    path("admin/live/disconnect/", admin.site.admin_view(living.disconnect), name="admin-disconnect"),
    path("admin/people/<str:user>/", admin.site.admin_view(person_pages.person), name="admin-person"),
    path("admin/people/<str:user>/copy/", admin.site.admin_view(person_pages.copy), name="admin-person-copy"),
    path("admin/", admin.site.urls),
    path("", include("notifications.urls")),
    path("dashboards/", include("dashboard.urls")),
    path("d/", include("dashboard.shared_urls")),
    path("rooms/", include("notifications.rooms.urls")),
]
