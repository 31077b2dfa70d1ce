from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "notifications.rooms"
    label = "signalbox_rooms"
    verbose_name = "Rooms"
