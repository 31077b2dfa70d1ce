from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "notifications.rooms"
    label = "signalbox_rooms"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Rooms"
    websocket_routes = "notifications.rooms.routing.routes"
    home_tiles = ["notifications.rooms.home.tile"]
    demo = "notifications.rooms.demo.make"

    def ready(self) -> None:
        from core import jobs
        from core.delivery.channel import registry
        from core.delivery.identity import name_guests_by
        from core.persons import register
        from core.retention import bounded, trimmed
        from notifications import categories
        from notifications.categories import Category
        from notifications.rooms import persons
        from notifications.rooms.kinds import NewsKind, ReadingKind, RoomKind
        from notifications.rooms.people import guest_handle
        from notifications.rooms.running import actions as running

        for kind in (RoomKind(), NewsKind(), ReadingKind()):
            registry.register(kind)
        name_guests_by(guest_handle)
        register(persons.PART)
        categories.declare(Category("room", "Messages in rooms", "Rooms of which you want to hear everything.", on=frozenset({"push"})))
        trimmed("signalbox_rooms.Message", "signalbox_rooms.Reaction", job="old_messages", why="as many days as its room keeps them")
        trimmed("signalbox_rooms.Restriction", job="old_messages", why="until it ends")
        bounded("signalbox_rooms.Room", "signalbox_rooms.Membership", why="what people make, by hand")
        jobs.register("old_messages", running.forget_old, queue="bulk", cron="40 3 * * *")
