from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
    label = "signalbox_workers"
    verbose_name = "Workers"
