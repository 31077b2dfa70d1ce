"""The Celery tasks. Every job that an app registered (core.jobs) is one, named `workers.tasks.<job>`; more stand in the files beside.

A file here makes a task itself only where it needs more than a job has: arguments, options of its own.
"""

import importlib
import pkgutil

from celery import Task

from core import jobs
from core.tracing import tracing
from workers import telling
from workers.celery import app


def _task(job: jobs.Job) -> Task:
    def run(self: Task) -> None:
        telling.tell(self.request.hostname or "", job.name)
        with tracing(request=getattr(self.request, jobs.WOKEN_BY, None) or ""):
            jobs.run_or_wait(job)
        telling.tell(self.request.hostname or "", job.name)

    run.__doc__ = job.function.__doc__
    return app.task(run, name=job.task, bind=True, expires=job.expires, ignore_result=True)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

for _job in jobs.registered():
    if _job.task not in app.tasks:
        _task(_job)
