from django.urls import URLPattern, URLResolver, path

from dashboard import views

app_name = "dashboard"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.board_list, name="list"),
    path("<slug:slug>/", views.board_page, name="board"),
    path("<slug:slug>/board/", views.board_region, name="region"),
    path("<slug:slug>/mini/", views.board_mini, name="mini"),
    path("<slug:slug>/favourite/", views.favourite, name="favourite"),
    path("<slug:slug>/<slug:widget>.csv", views.export, name="csv"),
    path("<slug:slug>/<slug:widget>/points/", views.points, name="points"),
    path("<slug:slug>/<slug:widget>/table/", views.table, name="table"),
    path("<slug:slug>/<slug:widget>/tile/", views.widget_tile, name="tile"),
]
