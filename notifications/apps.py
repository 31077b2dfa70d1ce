from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    label = "signalbox_notifications"
    verbose_name = "Notifications"
    api_routers = ["notifications.api.router"]
    home_tiles = ["notifications.home.try_it", "notifications.home.newest"]
    demo = "notifications.demo.make"

    def ready(self) -> None:
        from core import jobs, sinks
        from core.delivery.channel import registry
        from notifications import actions, alerts, errors, kinds, signals
        from notifications.broadcasts import actions as broadcasts
        from notifications.broadcasts import schedules

        for kind in (kinds.UserKind(), kinds.AudienceKind(), kinds.BroadcastKind()):
            registry.register(kind)
        errors.make_known()
        signals.connect()
        sinks.alerts.connect(alerts.take)
        jobs.register("notifications_due", actions.work_off_due, queue="delivery", every=5)
        jobs.register("broadcasts_due", broadcasts.work_off_due, queue="bulk", every=5)
        jobs.register("broadcast_figures", broadcasts.measure_watched, queue="live", every=2)
        jobs.register("hourly_broadcast", schedules.send_hourly, queue="delivery", cron="0 * * * *", enabled=False)
