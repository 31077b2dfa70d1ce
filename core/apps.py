from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    label = "signalbox"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Signalbox"

    def ready(self) -> None:
        from django.utils import timezone

        # checks and signins register themselves
        from core import checks, health, idempotency, jobs, person_parts, persons, progress, signins  # noqa: F401
        from core import retention as kept
        from core.delivery import authority, presence, retention
        from core.delivery.channel import registry

        authority.connect()
        registry.register(presence.PresenceKind())
        persons.register(person_parts.PART)
        jobs.register("note_worker_alive", health.note_worker_alive, queue="live", every=5)
        jobs.register("progress_due", progress.sweep, queue="live", every=5)
        jobs.register("trim_events", lambda: retention.trim(now=timezone.now()), queue="bulk", every=60)
        kept.register()
        jobs.register("forget_ended", kept.forget_ended, queue="bulk", cron="20 3 * * *")
        jobs.register("forget_intents", lambda: idempotency.forget_expired(now=timezone.now()), queue="bulk", every=3600)
