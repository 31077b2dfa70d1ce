"""Values coming in: by single requests and by lists over HTTP on one process of uvicorn with SQLite, by record_many() on Postgres; and
what 30 days of a value each second cost to draw."""

import http.client
import json
import threading
import time
from collections.abc import Iterator

from tests.bench.crowd import Child
from tests.bench.figures import Line, at_least, at_most
from tests.bench.lab import Lab
from tests.bench.processes import SERVER, as_urgent_as_we_are, cpu_seconds, on_core
from tests.support.servers import Web

REQUESTS, SENDERS, LISTS, LENGTH = 2000, 4, 20, 1000
SAMPLES, AT_ONCE, DAYS = 200_000, 5000, 30


def run(lab: Lab) -> Iterator[Line]:
    yield from _over_http(lab)
    with Child("tests.bench.boards", lab.site().env(), core=SERVER) as board:
        names = board.call("make", widgets=10, slug="bulk")["names"]
        board.call("bulk", names=names, samples=AT_ONCE, at_once=AT_ONCE)
        found = board.call("bulk", names=names, samples=SAMPLES, at_once=AT_ONCE)
        rate = found["per_second"]
        yield at_least("ingest", "record_many(), postgres", rate, 20_000, samples_per_s=rate, goal_per_s=20_000)
        # The widget whose place is that of a chart.
        month = board.call("make", widgets=4, slug="month")["names"][3]
        samples = board.call("fill", name=month, days=DAYS)["samples"]
        drawn = board.call("draw", name=month, days=DAYS, width=1200, times=20)
        yield at_most(
            "ingest",
            f"{DAYS} days of a 1 s series drawn",
            drawn["median"],
            100,
            ms=drawn["median"],
            max_ms=drawn["max"],
            samples=samples,
            points=drawn["points"],
        )


def _over_http(lab: Lab) -> Iterator[Line]:
    with Child("tests.bench.boards", lab.site("sqlite").env()) as board:
        made = board.call("make", widgets=100)
    with on_core(SERVER):
        web = lab.site("sqlite").web(server="uvicorn")
        with web as serving:
            as_urgent_as_we_are(serving.pid)
            _push(serving, made["token"], made["names"], 400)
            before = cpu_seconds(serving.pid)
            rate = _push(serving, made["token"], made["names"], REQUESTS)
            cost = 1000 * (cpu_seconds(serving.pid) - before) / REQUESTS
            yield at_least("ingest", "single requests, sqlite", rate, 300, per_s=rate, goal_per_s=300, cpu_ms=cost)
            rate = _push_lists(serving, made["token"], made["names"][0])
            yield at_least("ingest", f"lists of {LENGTH}, sqlite", rate, 2000, samples_per_s=rate, goal_per_s=2000)


def _push(web: Web, token: str, names: list[str], requests: int) -> float:
    """So many requests of one value by a few senders that keep their connections. How many a second."""
    start = time.perf_counter()
    share = requests // SENDERS
    senders = [threading.Thread(target=_send, args=(web.port, token, names, share)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return share * SENDERS / (time.perf_counter() - start)


def _send(port: int, token: str, names: list[str], requests: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(requests):
        _post(connection, token, names[number % len(names)], number % 100)
    connection.close()


def _push_lists(web: Web, token: str, name: str) -> float:
    connection, start = http.client.HTTPConnection("127.0.0.1", web.port), time.perf_counter()
    for number in range(LISTS):
        _post(connection, token, name, list(range(number, number + LENGTH)))
    connection.close()
    return LISTS * LENGTH / (time.perf_counter() - start)


def _post(connection: http.client.HTTPConnection, token: str, name: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", f"/api/v1/widgets/{name}", json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status == 202, (answer.status, said)
