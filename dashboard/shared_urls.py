from django.urls import URLPattern, URLResolver, path

from dashboard import shared

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:token>/", shared.page),
    path("<slug:token>/board/", shared.region),
    path("<slug:token>/ticket/", shared.ticket),
    path("<slug:token>/<slug:widget>.csv", shared.export),
    path("<slug:token>/<slug:widget>/points/", shared.points),
    path("<slug:token>/<slug:widget>/table/", shared.table),
]
