"""`path("", include("signalbox.urls"))`, the last line of your urlpatterns: what you have at an address of ours stays yours.

The admin is yours, and home where you have one. Where LOGIN_URL is Django's own, `/accounts/login/`, our sign-in stands behind yours;
where you set another one, signing in is wholly yours.
"""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from core import account_urls, errors, health, living, person_pages, views
from core.api import api

SIGN_IN = {"login", "logout", "password_change", "password_change_done"}
own_sign_in = str(settings.LOGIN_URL) != "/accounts/login/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include([one for one in account_urls.urlpatterns if not (own_sign_in and one.name in SIGN_IN)])),
    path("offline/", views.offline, name="offline"),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", health.metrics),
    path("api/v1/", api.urls),
    re_path(r"^api/v1/", errors.unknown_path),
    # Not below /admin/, where your own line answers everything.
    path("living/", admin.site.admin_view(living.page), name="admin-live"),
    path("living/disconnect/", admin.site.admin_view(living.disconnect), name="admin-disconnect"),
    path("people/<str:user>/", admin.site.admin_view(person_pages.person), name="admin-person"),
    path("people/<str:user>/copy/", admin.site.admin_view(person_pages.copy), name="admin-person-copy"),
    path("", include("notifications.urls")),
    path("dashboards/", include("dashboard.urls")),
    path("d/", include("dashboard.shared_urls")),
    path("rooms/", include("notifications.rooms.urls")),
    path("", views.home_page),
]
