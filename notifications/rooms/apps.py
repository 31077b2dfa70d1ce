from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "notifications.rooms"
    label = "signalbox_rooms"
    verbose_name = "Rooms"
    websocket_routes = "notifications.rooms.routing.routes"
    home_tiles = ["notifications.rooms.home.tile"]
    demo = "notifications.rooms.demo.make"

    def ready(self) -> None:
        from core.delivery.channel import registry
        from notifications.rooms.kinds import RoomKind

        registry.register(RoomKind())
