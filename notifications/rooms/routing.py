"""The plain chat sockets' addresses, collected by core/routing.py."""

from django.urls import path

from notifications.rooms.consumer import EchoSocket, RoomSocket

routes = [
    path("ws/chat/", EchoSocket.as_asgi()),
    path("ws/socker-server/", EchoSocket.as_asgi()),
    path("ws/chat/<str:room_name>/", RoomSocket.as_asgi()),
]
