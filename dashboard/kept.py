"""What keeps the tables of boards from growing without end (core.retention)."""

from core.retention import bounded, trimmed
from dashboard.alerts.noting import JOB as JUDGE

APP = "signalbox_dashboard"


def register() -> None:
    trimmed(f"{APP}.Sample", job="trim_samples", why="as many hours as its widget keeps them")
    trimmed(f"{APP}.Rollup", job="trim_samples", why="by its span: minutes shorter, days longer")
    trimmed(f"{APP}.RollupDue", job="roll_up", why="until it is rolled up")
    trimmed(f"{APP}.SourceDirty", job="refresh_sources", why="until its source is read again")
    trimmed(f"{APP}.AlertDue", job=JUDGE, why="until its rule has judged it")
    by_hand = ("Dashboard", "Widget", "Source", "AlertRule", "Role", "ShareLink", "Favourite")
    bounded(*(f"{APP}.{name}" for name in by_hand), why="what people make, by hand")
    bounded(f"{APP}.Series", why="a limit for each widget; they go with it")
