from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    label = "signalbox_notifications"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Notifications"
    api_routers = ["notifications.api.router"]
    home_tiles = ["notifications.home.try_it", "notifications.home.newest"]
    demo = "notifications.demo.make"

    def ready(self) -> None:
        from core import jobs, progress, sinks
        from core.delivery.channel import registry
        from core.persons import register
        from notifications import actions, alerts, errors, kept, kinds, persons, runs, signals
        from notifications.actions import forgetting
        from notifications.broadcasts import actions as broadcasts
        from notifications.broadcasts import schedules

        for kind in (kinds.UserKind(), kinds.AudienceKind(), kinds.BroadcastKind()):
            registry.register(kind)
        errors.make_known()
        register(persons.PART)
        self._ways_out()
        signals.connect()
        sinks.alerts.connect(alerts.take)
        progress.reports.connect(runs.show)
        jobs.register("notifications_due", actions.work_off_due, queue="delivery", every=5)
        jobs.register("broadcasts_due", broadcasts.work_off_due, queue="bulk", every=5)
        jobs.register("broadcasts_recurring", broadcasts.work_off_recurring, queue="delivery", every=5)
        jobs.register("broadcast_figures", broadcasts.measure_watched, queue="live", every=2)
        jobs.register("old_notifications", forgetting.forget_old, queue="bulk", cron="50 3 * * *")
        kept.register()
        jobs.register("hourly_broadcast", schedules.send_hourly, queue="delivery", cron="0 * * * *", enabled=False)

    def _ways_out(self) -> None:
        from functools import partial

        from core import jobs
        from notifications import categories, transports
        from notifications.categories import Category
        from notifications.deliveries import sending
        from notifications.deliveries.writing import job_of
        from notifications.transports import push_probe  # noqa: F401  (makes itself known to doctor)
        from notifications.transports.email import Email
        from notifications.transports.push import Push
        from notifications.transports.webhook import Webhook

        everywhere = categories.WAYS
        signing_in = (
            "Mails about sign-ins cannot be switched off and are sent at once, seen here or not: they are how you notice a stranger."
        )
        for category in (
            Category("mention", "Mentions", "Somebody wrote your name in a room."),
            Category("alert", "Alerts", "A value on a dashboard is not as it should be, or is again."),
            Category("broadcast", "Announcements", "What is sent to everybody, or to a whole group.", on=everywhere - {"email"}),
            Category(
                "sign-in",
                "Sign-ins",
                "Your account was used from a browser that is new.",
                mandatory=frozenset({"email"}),
                why=signing_in,
                always=True,
            ),
            Category("progress", "Tasks", "Work in the background that you follow is done, or has failed."),
            Category("new-user", "New people", "Somebody got an account here. Only the staff is told, where that is switched on."),
            Category("try", "Trying out", shown=False),
        ):
            categories.declare(category)
        for transport in (Email(), Push(), Webhook()):
            transports.register(transport)
            jobs.register(job_of(transport), partial(sending.work_off, transport.name), queue="delivery", every=5)
