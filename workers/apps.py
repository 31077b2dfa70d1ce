from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

TIMETABLE = ("ClockedSchedule", "CrontabSchedule", "IntervalSchedule", "PeriodicTask", "PeriodicTasks", "SolarSchedule")


class WorkersConfig(AppConfig):
    name = "workers"
    label = "signalbox_workers"
    verbose_name = "Workers"

    def ready(self) -> None:
        from core import retention
        from workers import sampling

        timetable = [f"django_celery_beat.{name}" for name in TIMETABLE]
        retention.bounded(*timetable, why="a row for each job and each timetable that somebody made")

        sampling.register()
        # Django sends this signal for apps with models only, and beat's tables are what we wait for.
        post_migrate.connect(_sync_schedule, sender=apps.get_app_config("django_celery_beat"))


def _sync_schedule(*, using: str, plan: Any = None, **kwargs: Any) -> None:
    """Beat's rows, once everything is migrated. A migration that stops short of beat's tables leaves them for the next one."""
    from django.db import connections
    from django_celery_beat.models import PeriodicTask

    from workers import schedule

    if using == "default" and PeriodicTask._meta.db_table in connections[using].introspection.table_names():
        schedule.sync()
