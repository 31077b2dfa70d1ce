"""`python -m scripts.grafana` writes docs/grafana.json, a Grafana dashboard of what /metrics tells. Its panels stand below.

Import it in Grafana (Dashboards, New, Import) and choose the Prometheus that scrapes /metrics of every web process.
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "docs" / "grafana.json"
RATE = "sum(rate({}[$__rate_interval]))"
TOGETHER = "max by ({1}) (rate({0}[$__rate_interval]))"  # what every web process tells of the whole installation
# Title, unit as Grafana names it, and the lines: legend -> PromQL.
PANELS: list[tuple[str, str, dict[str, str]]] = [
    ("Connections", "short", {"{{instance}}": "signalbox_connections"}),
    (
        "Published and delivered",
        "ops",
        {"published": "max(rate(signalbox_publishes_total[$__rate_interval]))", "delivered": RATE.format("signalbox_deliveries_total")},
    ),
    (
        "From publish to send",
        "s",
        {
            part: f"histogram_quantile({quantile}, sum by (le) (rate(signalbox_publish_to_send_seconds_bucket[$__rate_interval])))"
            for part, quantile in (("half", 0.5), ("99 %", 0.99))
        },
    ),
    ("Oldest event without an offset", "s", {"oldest": "max(signalbox_outbox_age_seconds)"}),
    (
        "Repairs",
        "ops",
        {
            "gaps read again": RATE.format("signalbox_gaps_total"),
            "resyncs": RATE.format("signalbox_resyncs_total"),
            "rescued by the relay": RATE.format("signalbox_relay_rescues_total"),
            "closed for slowness": RATE.format("signalbox_slow_closes_total"),
        },
    ),
    (
        "Channel layer",
        "ops",
        {
            "handed over": RATE.format("signalbox_broadcasts_total"),
            "lost, repaired by the poll": RATE.format("signalbox_broadcasts_lost_total"),
            "resting (1: yes)": "max(signalbox_breaker_open)",
        },
    ),
    (
        "API calls, and what was turned away",
        "reqps",
        {
            "{{status}}": "sum by (status) (rate(signalbox_api_requests_total[$__rate_interval]))",
            "no database (pages too)": RATE.format("signalbox_unavailable_total"),
        },
    ),
    (
        "Ways out",
        "ops",
        {"{{transport}} {{outcome}} {{reason}}": TOGETHER.format("signalbox_ways_out_total", "transport, outcome, reason")},
    ),
    (
        "Jobs that broke, and seconds that jobs run",
        "short",
        {
            "{{job}} broke": 'max by (job) (rate(signalbox_jobs_total{outcome="broke"}[$__rate_interval])) > 0',
            "{{job}} seconds": TOGETHER.format("signalbox_job_seconds_total", "job"),
        },
    ),
    ("Requests to other people's addresses", "reqps", {"{{outcome}}": TOGETHER.format("signalbox_outbound_requests_total", "outcome")}),
]
SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> dict[str, Any]:
    """The whole dashboard as Grafana imports it."""
    return {
        "title": "Signalbox",
        "uid": "signalbox",
        "tags": ["signalbox"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, title: str, unit: str, lines: dict[str, str]) -> dict[str, Any]:
    targets = [{"refId": chr(65 + place), "expr": query, "legendFormat": legend} for place, (legend, query) in enumerate(lines.items())]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"h": 8, "w": 12, "x": number % 2 * 12, "y": number // 2 * 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [target | {"datasource": SOURCE} for target in targets],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
