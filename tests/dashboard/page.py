"""An open page, played without a browser: it swaps fragments as htmx and live.js do, and keeps its charts as charts.js does."""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from core.delivery.channel import Event, registry

_VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect"}


@dataclass(slots=True)
class Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    def all(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.all()

    def by_id(self, id: str) -> "Node | None":
        return next((node for node in self.all() if node.id == id), None)

    def having(self, attribute: str) -> list["Node"]:
        return [node for node in self.all() if attribute in node.attributes]

    @property
    def text(self) -> str:
        return " ".join("".join(child if isinstance(child, str) else f" {child.text} " for child in self.children).split())

    def become(self, other: "Node") -> None:
        self.tag, self.attributes, self.children = other.tag, other.attributes, other.children

    def written(self, *, without: Sequence[str] = ()) -> str:
        """The HTML, with attributes in order and without blank text."""
        shown = "".join(f' {name}="{html.escape(value)}"' for name, value in sorted(self.attributes.items()) if name not in without)
        inside = "".join(child.strip() if isinstance(child, str) else child.written(without=without) for child in self.children)
        return f"<{self.tag}{shown}>{inside}</{self.tag}>"


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Node:
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is not closed"
    return builder.open[0]


class Page:
    """One open page with one live region. `refetches` counts how often it had to take the region anew."""

    def __init__(self, client: Client, address: str) -> None:
        self.client = client
        self.refetches = self.fetches = 0
        self.region = self._region(address)
        self.charts = {node.id: Chart(self, node) for node in self.region.having("data-chart")}

    @property
    def channel(self) -> str:
        return self.region.attributes["data-channel"]

    @property
    def offset(self) -> int:
        return int(self.region.attributes["data-position"].split(":")[1])

    def tile(self, pk: int) -> Node | None:
        return self.region.by_id(f"w-{pk}")

    def apply(self, events: Sequence[Event]) -> None:
        """Take a frame that carries these events."""
        kind = registry.of(self.channel)
        news = [event for event in events if event.offset > self.offset]
        for event in news:
            if event.offset <= self.offset:
                continue  # the region was taken anew on the way, and has it
            fragment = kind.render(event, self.channel.split(":")[1])
            assert len(fragment) < 65536
            self._swap(parsed(fragment))
        if news:
            epoch = self.region.attributes["data-position"].split(":")[0]
            at = max(self.offset, news[-1].offset)
            self.region.attributes["data-position"] = f"{epoch}:{at}"

    def _swap(self, fragment: Node) -> None:
        for node in fragment.having("hx-swap-oob"):
            if self.region.by_id(node.id) is None:
                return self._refetch()
        for node in fragment.all():
            if node.tag == "hx-partial":
                self._swap_partial(node)
        return None

    def _swap_partial(self, partial: Node) -> None:
        target = self.region.by_id(partial.attributes["hx-target"].removeprefix("#"))
        if target is None:
            return
        made = [child for child in partial.children if isinstance(child, Node)]
        match partial.attributes["hx-swap"]:
            case "innerMorph":
                target.children = list(partial.children)
            case "outerMorph":
                assert [child.id for child in made] == [target.id]
                target.become(made[0])
            case "delete":
                for node in self.region.all():
                    node.children = [child for child in node.children if child is not target]
        for node in made:
            self._tell_chart(node)

    def _tell_chart(self, node: Node) -> None:
        chart = self.charts.get(f"w-{node.id.split('-')[1]}-chart") if node.id else None
        if chart and node.attributes.get("data-new"):
            chart.push(node.attributes["data-series"], json.loads(node.attributes["data-new"]))
        if chart and node.attributes.get("data-changed"):
            chart.fetch()

    def _refetch(self) -> None:
        self.refetches += 1
        self.region = self._region(self.region.attributes["data-refetch"])
        shown = self.region.having("data-chart")
        for node in shown:
            self.charts.setdefault(node.id, Chart(self, node)).take(node)
        self.charts = {node.id: self.charts[node.id] for node in shown}

    def _region(self, address: str) -> Node:
        response = self.client.get(address)
        assert response.status_code == 200, f"{address} answered {response.status_code}"
        regions = parsed(response.content.decode()).having("data-channel")
        (region,) = [node for node in regions if node.attributes["data-channel"].startswith("dashboard:")]
        return region

    def shown(self) -> tuple[str, dict[str, Any]]:
        """All that somebody sees: the HTML, and the points of the charts."""
        volatile = ("data-position", "data-new", "data-changed", "data-points")
        return self.region.written(without=volatile), {id: chart.drawn() for id, chart in sorted(self.charts.items())}


class Chart:
    """What charts.js keeps of one chart."""

    def __init__(self, page: Page, node: Node) -> None:
        self.page, self.url, self.is_missing = page, node.attributes["data-points-url"], False
        self.points: dict[str, dict[float, float]] = {}
        self.take(node)

    def take(self, node: Node) -> None:
        self.range = float(node.attributes["data-range"])
        if points := json.loads(node.attributes["data-points"]):
            self.merge(points["series"])
        tile = self.page.tile(int(node.id.split("-")[1]))
        for news in tile.having("data-new") if tile else ():
            self.push(news.attributes["data-series"], json.loads(news.attributes["data-new"]))

    def push(self, name: str, news: dict[str, Any]) -> None:
        last = max(self.points.get(name, ()), default=float("-inf"))
        if news["prev"] is not None and news["prev"] > last:
            self.fetch()
        self.merge({name: news["points"]})

    def fetch(self) -> None:
        self.page.fetches += 1
        answer = self.page.client.get(self.url, {"from": "946684800", "to": "1e10", "width": "4000"})
        # Of a widget that is gone there is nothing to be had; its tile goes with one of the next events.
        self.is_missing = answer.status_code == 404
        if not self.is_missing:
            self.merge(answer.json()["series"])

    def merge(self, series: dict[str, list[list[float]]]) -> None:
        for name, points in series.items():
            self.points.setdefault(name, {}).update(map(tuple, points))

    def drawn(self) -> dict[str, list[tuple[float, float]]]:
        """What lies in its range, which ends with the newest of all points."""
        assert not self.is_missing, f"{self.url} answers 404"
        first = max((at for points in self.points.values() for at in points), default=0.0) - self.range
        inside = {name: sorted(point for point in points.items() if point[0] >= first) for name, points in self.points.items()}
        return {name: points for name, points in inside.items() if points}


def compacted(events: Sequence[Event]) -> list[Event]:
    """What of these a reader is told who was away: the newest of each (slot, key), in order."""
    kind: Any = registry.kinds["dashboard"]
    newest = {(kind.type(event.type).slot, event.key): event for event in events}
    return sorted(newest.values(), key=lambda event: event.offset)


def assert_follows(page: Page, fresh: Page) -> None:
    """Whoever looks at these two sees the same."""
    (text, charts), (now, charts_now) = page.shown(), fresh.shown()
    assert text == now, f"\n{text}\n\n{now}"
    assert charts == charts_now, f"\n{charts}\n\n{charts_now}"
