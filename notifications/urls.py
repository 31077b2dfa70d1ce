from django.urls import URLPattern, URLResolver, path

from notifications import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("inbox/", views.inbox_page, name="inbox"),
    path("inbox/list/", views.inbox_list, name="inbox-list"),
    path("inbox/more/", views.inbox_more, name="inbox-more"),
    path("inbox/read/", views.read_all, name="inbox-read-all"),
    path("inbox/all/<str:verb>/", views.change_all, name="inbox-all"),
    path("inbox/snooze/", views.snooze_chosen, name="inbox-snooze-chosen"),
    path("inbox/undo/", views.take_back, name="inbox-undo"),
    path("inbox/bell/", views.bell, name="bell"),
    path("inbox/newest/", views.newest, name="inbox-newest"),
    path("inbox/panel/", views.panel, name="bell-panel"),
    path("inbox/try/", views.try_it, name="inbox-try"),
    path("inbox/<int:pk>/", views.item_page, name="inbox-item"),
    path("inbox/<int:pk>/open/", views.open_item, name="inbox-open"),
    path("inbox/<int:pk>/open/<int:action>/", views.open_item, name="inbox-open-action"),
    path("inbox/<int:pk>/read/", views.read, name="inbox-read"),
    path("inbox/<int:pk>/unread/", views.unread, name="inbox-unread"),
    path("inbox/<int:pk>/archive/", views.archive, name="inbox-archive"),
    path("inbox/<int:pk>/unarchive/", views.unarchive, name="inbox-unarchive"),
    path("inbox/<int:pk>/snooze/", views.snooze, name="inbox-snooze"),
    path("inbox/<int:pk>/unsnooze/", views.unsnooze, name="inbox-unsnooze"),
]
