from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    label = "signalbox"
    verbose_name = "Signalbox"

    def ready(self) -> None:
        from core import signins  # noqa: F401  (listens for sign-ins)
