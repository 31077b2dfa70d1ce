from django.urls import URLPattern, URLResolver, path

from dashboard import editing, views
from dashboard.alerts import views as alerts

app_name = "dashboard"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.board_list, name="list"),
    path("new/", editing.new_board, name="new"),
    path("<slug:slug>/edit/", editing.edit_board, name="edit"),
    path("<slug:slug>/edit/board/order/", editing.order, name="order"),
    path("<slug:slug>/edit/board/remove/", editing.remove_board, name="remove"),
    path("<slug:slug>/edit/<slug:widget>/", editing.edit_widget, name="edit-widget"),
    path("<slug:slug>/edit/<slug:widget>/preview/", editing.preview, name="preview"),
    path("<slug:slug>/edit/<slug:widget>/remove/", editing.remove_widget, name="remove-widget"),
    path("<slug:slug>/share/", editing.share, name="share"),
    path("<slug:slug>/", views.board_page, name="board"),
    path("<slug:slug>/board/", views.board_region, name="region"),
    path("<slug:slug>/watching/", views.board_watching, name="watching"),
    path("<slug:slug>/mini/", views.board_mini, name="mini"),
    path("<slug:slug>/favourite/", views.favourite, name="favourite"),
    path("<slug:slug>/<slug:widget>.csv", views.export, name="csv"),
    path("<slug:slug>/<slug:widget>/points/", views.points, name="points"),
    path("<slug:slug>/<slug:widget>/table/", views.table, name="table"),
    path("<slug:slug>/<slug:widget>/tile/", views.widget_tile, name="tile"),
    path("<slug:slug>/<slug:widget>/alerts/", alerts.alerts, name="alerts"),
    path("<slug:slug>/<slug:widget>/alerts/new/", alerts.edit, name="new-alert"),
    path("<slug:slug>/<slug:widget>/alerts/<int:pk>/", alerts.edit, name="alert"),
    path("<slug:slug>/<slug:widget>/alerts/<int:pk>/acknowledge/", alerts.acknowledge, name="acknowledge"),
    path("<slug:slug>/<slug:widget>/alerts/<int:pk>/mute/", alerts.mute, name="mute"),
    path("<slug:slug>/<slug:widget>/alerts/<int:pk>/remove/", alerts.remove, name="remove-alert"),
]
