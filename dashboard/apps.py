from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    label = "signalbox_dashboard"
    verbose_name = "Dashboards"
