from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    label = "signalbox_dashboard"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Dashboards"
    api_routers = ["dashboard.api.router", "dashboard.documents.api.router"]
    home_tiles = ["dashboard.home.tile"]
    demo = "dashboard.demo.make"

    def ready(self) -> None:
        from core import jobs, progress
        from core.delivery.channel import registry
        from core.persons import register
        from dashboard import actions, freshness, history, kept, persons, polling, refresh, rollups, signals
        from dashboard.alerts import actions as alerts
        from dashboard.alerts.noting import JOB as JUDGE
        from dashboard.kinds import DashboardKind
        from dashboard.runs import show as show_run

        registry.register(DashboardKind())
        kept.register()
        register(persons.PART)
        progress.reports.connect(show_run)
        jobs.register("end_links", actions.end_links_now, queue="live", every=5)
        jobs.register("trim_samples", history.trim_now, queue="bulk", every=3600)
        jobs.register("roll_up", rollups.roll_up_now, queue="bulk", every=60)
        jobs.register("learn_intervals", freshness.learn_now, queue="bulk", every=60)
        jobs.register("poll_sources", polling.poll_now, queue="live", every=2)
        jobs.register("refresh_sources", refresh.refresh_now, queue="live", every=5)
        jobs.register(JUDGE, alerts.judge_now, queue="live", every=5)
        signals.connect()
        refresh.connect()
