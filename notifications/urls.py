from django.urls import URLPattern, URLResolver, path

from notifications import desktop_views, item_views, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("inbox/", views.inbox_page, name="inbox"),
    path("inbox/list/", views.inbox_list, name="inbox-list"),
    path("inbox/more/", views.inbox_more, name="inbox-more"),
    path("inbox/read/", item_views.read_all, name="inbox-read-all"),
    path("inbox/all/<str:verb>/", item_views.change_all, name="inbox-all"),
    path("inbox/snooze/", item_views.snooze_chosen, name="inbox-snooze-chosen"),
    path("inbox/undo/", item_views.take_back, name="inbox-undo"),
    path("inbox/waiting/", desktop_views.waiting, name="inbox-waiting"),
    path("sw.js", desktop_views.service_worker, name="service-worker"),
    path("preferences/device/", desktop_views.device, name="device"),
    path("preferences/device/test/", desktop_views.send_test, name="device-test"),
    path("inbox/bell/", views.bell, name="bell"),
    path("inbox/newest/", views.newest, name="inbox-newest"),
    path("inbox/panel/", views.panel, name="bell-panel"),
    path("inbox/try/", views.try_it, name="inbox-try"),
    path("inbox/<int:pk>/", item_views.item_page, name="inbox-item"),
    path("inbox/<int:pk>/open/", item_views.open_item, name="inbox-open"),
    path("inbox/<int:pk>/open/<int:action>/", item_views.open_item, name="inbox-open-action"),
    path("inbox/<int:pk>/press/<int:action>/", item_views.press, name="inbox-press"),
    path("inbox/<int:pk>/read/", item_views.read, name="inbox-read"),
    path("inbox/<int:pk>/unread/", item_views.unread, name="inbox-unread"),
    path("inbox/<int:pk>/archive/", item_views.archive, name="inbox-archive"),
    path("inbox/<int:pk>/unarchive/", item_views.unarchive, name="inbox-unarchive"),
    path("inbox/<int:pk>/snooze/", item_views.snooze, name="inbox-snooze"),
    path("inbox/<int:pk>/unsnooze/", item_views.unsnooze, name="inbox-unsnooze"),
]
