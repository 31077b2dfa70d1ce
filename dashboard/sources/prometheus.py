"""What a Prometheus query gives now, by its HTTP API (`/api/v1/query`): a line for each of the series it finds."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from msgspec import Meta

from core.errors import Code, Problem, quoted
from dashboard.sources import web
from dashboard.sources.base import Found, Look, PollConfig, SourceKind, check_numbers, series_name, takes_numbers, wrong
from dashboard.widgets.base import WidgetKind

MOST = 60  # series of one answer


class PrometheusConfig(PollConfig, frozen=True):
    url: Annotated[str, Meta(max_length=1000)] = ""  # of the server: https://prometheus.example.org
    query: Annotated[str, Meta(max_length=1500)] = ""
    label: Annotated[str, Meta(max_length=100)] = ""  # which label names a line; none: those in which the lines differ


class PrometheusSource(SourceKind):
    name = "prometheus"
    title = "Prometheus query"
    help = "The address of the server, without /api, and a PromQL query such as sum by (job) (rate(http_requests_total[5m]))."
    config = PrometheusConfig
    every = 15

    def feeds(self, widget: WidgetKind) -> bool:
        return takes_numbers(widget)

    def settings(self, config: Any, widget: WidgetKind) -> PrometheusConfig:
        typed: PrometheusConfig = super().settings(config, widget)
        web.check_address(typed.url)
        if not typed.query.strip():
            raise wrong("`query` says what is asked, as in up or sum(rate(http_requests_total[5m])).", "query")
        check_numbers(widget)
        return typed

    def look(self, config: PrometheusConfig, widget: WidgetKind) -> Look:
        status, answer = web.get(f"{config.url.rstrip('/')}/api/v1/query?{urlencode({'query': config.query})}")
        lines = _lines(_data(status, answer), config.label)
        if widget.several:
            return Look([Found(value, series_name(name), name[:200]) for name, value in lines.items()])
        if len(lines) > 1:
            raise wrong(f"The query finds {len(lines)} series; a {widget.title.lower()} shows one: sum() or narrow it.")
        return Look([Found(value) for value in lines.values()])


def _data(status: int, answer: Any) -> Mapping[str, Any]:
    """What a successful answer holds. Raises Problem with Prometheus' own words for what is wrong."""
    known = isinstance(answer, dict) and answer.get("status") in {"success", "error"}
    if not known or status >= 500:
        raise Problem(Code.UNAVAILABLE, f"The server answered with {status} and not as Prometheus does.")
    if answer["status"] == "error":
        raise wrong(f"Prometheus refuses the query: {quoted(answer.get('error', answer.get('errorType', '')), most=200)}")
    data = answer.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        raise Problem(Code.UNAVAILABLE, "The server answered not as Prometheus does.")
    return data


def _lines(data: Mapping[str, Any], label: str) -> dict[str, float]:
    """The value of each series now, by its name. One that is not a number just now (0/0) is left out."""
    match data.get("resultType"), data["result"]:
        case "scalar", [_, text]:
            found = {"": text}
        case "vector", rows:
            found = _named(rows, label)
        case "matrix", _:
            raise wrong("The query gives ranges; leave [5m] out, or put rate() or avg_over_time() around it.")
        case other, _:
            raise wrong(f"The query gives a {quoted(other)}, which is no number.")
    numbers = {name: _number(text) for name, text in found.items()}
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    if not finite:
        raise wrong("What the query finds is not a number just now (NaN or infinite)." if numbers else "The query finds nothing.")
    return finite


def _named(rows: Sequence[Any], label: str) -> dict[str, Any]:
    if len(rows) > MOST:
        raise wrong(f"The query finds {len(rows)} series; at most {MOST} are shown: narrow it, or use topk(10, ...).")
    try:
        labels = [{str(name): str(text) for name, text in row["metric"].items()} for row in rows]
        values = [row["value"][1] for row in rows]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Problem(Code.UNAVAILABLE, "The server answered not as Prometheus does.") from None
    names = [_name(one, labels, label) for one in labels]
    if len(set(names)) < len(names):
        raise wrong(f"Several of the {len(names)} series have the same label {quoted(label)}; name another.")
    return dict(zip(names, values, strict=True))


def _name(one: Mapping[str, str], labels: Sequence[Mapping[str, str]], label: str) -> str:
    if label:
        if label not in one:
            raise wrong(f"The series have no label {quoted(label)}; they have {', '.join(sorted(one)) or 'none'}.")
        return one[label]
    differs = [name for name in sorted(one) if any(other.get(name) != one[name] for other in labels)]
    return " ".join(one[name] for name in differs)


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise Problem(Code.UNAVAILABLE, "The server answered not as Prometheus does.") from None
