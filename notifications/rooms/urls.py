"""Every address of rooms, below /rooms/."""

from django.urls import path

from notifications.rooms import latest, message_views, views
from notifications.rooms.directory import directory
from notifications.rooms.running import views as running

app_name = "rooms"
urlpatterns = [
    path("", directory, name="directory"),
    path("new/", views.new, name="new"),
    path("echo/", views.echo, name="echo"),
    path("<slug:slug>/", views.room, name="room"),
    path("<slug:slug>/settings/", running.settings, name="settings"),
    path("<slug:slug>/membership/", running.membership, name="membership"),
    path("<slug:slug>/latest/", latest.region, name="latest"),
    path("<slug:slug>/names/", views.names, name="names"),
    path("<slug:slug>/messages/<int:message_id>/at/", views.at, name="at"),
    path("<slug:slug>/read/", views.read, name="read"),
    path("<slug:slug>/members/", views.members, name="members"),
    path("<slug:slug>/people/", views.people, name="people"),
    path("<slug:slug>/messages/", views.messages, name="messages"),
    path("<slug:slug>/messages/<int:message_id>/", message_views.message, name="message"),
]
