from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    label = "signalbox"
    verbose_name = "Signalbox"
