from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    label = "signalbox_notifications"
    verbose_name = "Notifications"
