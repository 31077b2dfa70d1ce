"""A stand-in for the HTTP API of a Prometheus server, version 1, as its documentation describes it: /api/v1/query with instant queries.

It knows no PromQL: `results` maps each query to the answer's `data`, and every other query is a parse error, in Prometheus' words.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


def vector(*series: tuple[Mapping[str, str], object], at: float = 1_763_709_000.123) -> dict[str, Any]:
    """`data` of an instant vector; values are texts, as Prometheus writes them."""
    return {"resultType": "vector", "result": [{"metric": dict(labels), "value": [at, str(value)]} for labels, value in series]}


def scalar(value: object, at: float = 1_763_709_000.123) -> dict[str, Any]:
    return {"resultType": "scalar", "result": [at, str(value)]}


def matrix(*values: object) -> dict[str, Any]:
    return {"resultType": "matrix", "result": [{"metric": {"job": "web"}, "values": [[at, str(value)] for at, value in enumerate(values)]}]}


@dataclass
class Prometheus:
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        if parts.path != "/api/v1/query":
            return 404, {"status": "error", "errorType": "not_found", "error": "not found"}
        query = parse_qs(parts.query).get("query", [""])[0]
        self.asked.append(query)
        if query not in self.results:
            said = f'invalid parameter "query": 1:1: parse error: unexpected identifier "{query}"'
            return 400, {"status": "error", "errorType": "bad_data", "error": said}
        return 200, {"status": "success", "data": self.results[query]}


@contextmanager
def prometheus(**results: dict[str, Any]) -> Iterator[Prometheus]:
    """Run one; queries that are no Python names are put into `results`."""
    made = Prometheus(dict(results))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = made.answer(self.path)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
