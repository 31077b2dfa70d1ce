"""The timetable in the admin, stricter than django-celery-beat makes it.

Who may look at tasks alone neither runs nor switches them; jobs of ours are woken like from everywhere else; bad times are said and not
broken on.
"""

from typing import Any

from celery.schedules import ParseException
from django.contrib import admin, messages
from django.http import HttpRequest
from django_celery_beat.admin import CrontabScheduleAdmin as BeatsTimes
from django_celery_beat.admin import PeriodicTaskAdmin as BeatsTasks
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from kombu.exceptions import OperationalError

from core import jobs


class PeriodicTaskAdmin(BeatsTasks):  # type: ignore[misc]
    # Its own actions ask for no permission: Django offers such to everybody who sees the list.
    @admin.action(description="Enable selected tasks", permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: Any) -> None:
        super().enable_tasks(request, queryset)

    @admin.action(description="Disable selected tasks", permissions=["change"])
    def disable_tasks(self, request: HttpRequest, queryset: Any) -> None:
        super().disable_tasks(request, queryset)

    @admin.action(description="Toggle activity of selected tasks", permissions=["change"])
    def toggle_tasks(self, request: HttpRequest, queryset: Any) -> None:
        super().toggle_tasks(request, queryset)

    @admin.action(description="Run selected tasks", permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: Any) -> None:
        ours = {job.task: job for job in jobs.registered()}
        chosen = [row.task for row in queryset if row.task in ours]
        for task in chosen:
            jobs.wake(ours[task].name)
        if chosen:
            self.message_user(request, f"Woken: {len(chosen)}. A worker runs them as soon as one is free.", messages.SUCCESS)
        if others := queryset.exclude(task__in=ours):
            self._run(request, others)

    def _run(self, request: HttpRequest, others: Any) -> None:
        """Have tasks that are no jobs of ours run the way django-celery-beat does it."""
        try:
            super().run_tasks(request, others)
        except OperationalError:
            self.message_user(request, "The broker of these tasks cannot be reached: they were not run.", messages.ERROR)


class CrontabScheduleAdmin(BeatsTimes):  # type: ignore[misc]
    @admin.display(description="In words")
    def human_readable(self, times: CrontabSchedule) -> str:
        """A form that is shown again may hold what is no time: Django-celery-beat's own page breaks on it."""
        try:
            return str(times.human_readable)
        except ParseException:
            return "-"


def _put(model: Any, ours: Any, *, instead_of: Any) -> None:
    """Register our admin of a model; not where a project has one of its own."""
    if type(admin.site._registry.get(model)) is instead_of:
        admin.site.unregister(model)
        admin.site.register(model, ours)


_put(PeriodicTask, PeriodicTaskAdmin, instead_of=BeatsTasks)
_put(CrontabSchedule, CrontabScheduleAdmin, instead_of=BeatsTimes)
