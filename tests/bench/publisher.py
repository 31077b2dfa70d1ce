"""Publishes at a steady rate, in a process of its own: `python -m tests.bench.publisher`; for us and for every peer.

Reads a command per line as JSON and answers each with a line of JSON.
"""

import asyncio
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

if os.environ.get("DJANGO_SETTINGS_MODULE"):
    import django

    django.setup()

    from core.garbage import collect_seldom

    collect_seldom()  # as in our workers and web processes


def mark(number: int) -> str:
    return f"@@{time.time():020.6f}#{number:08d}@"


def steadily(send: Callable[[int], None], messages: int, rate: float) -> dict[str, Any]:
    """Call `send` with 0, 1, 2 ...; never faster than the rate (0: as fast as it goes). Says how long each took."""
    start, took = time.perf_counter(), []
    for number in range(messages):
        if rate:
            time.sleep(max(0.0, start + number / rate - time.perf_counter()))
        before = time.perf_counter()
        send(number)
        took.append(time.perf_counter() - before)
    seconds = time.perf_counter() - start
    ranked = sorted(took)
    return {
        "seconds": seconds,
        "per_second": messages / seconds,
        "p50": 1000 * ranked[len(ranked) // 2],
        "p99": 1000 * ranked[int(0.99 * len(ranked))],
        "max": 1000 * ranked[-1],
    }


def publish(*, messages: int, rate: float, way: str = "signalbox", size: int = 300, first: int = 0, **where: Any) -> dict[str, Any]:
    """Publish one message at a time by the way of a peer."""
    send = WAYS[way](**where)
    return steadily(lambda number: send(mark(first + number).ljust(size, ".")), messages, rate)


def _signalbox(channel: str) -> Callable[[str], None]:
    from core.delivery.publishing import publish as publish_event

    def send(text: str) -> None:
        publish_event(channel, "line", {"text": text})

    return send


def _posted(port: int, path: str) -> Callable[[str], None]:
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(text: str) -> None:
        connection.request("POST", path, text.encode())
        connection.getresponse().read()

    return send


def _layer(group: str) -> Callable[[str], None]:
    from channels.layers import get_channel_layer

    loop = asyncio.new_event_loop()
    layer = get_channel_layer()
    return lambda text: loop.run_until_complete(layer.group_send(group, {"type": "bench.message", "text": text}))


def _eventstream(channel: str) -> Callable[[str], None]:
    from django_eventstream import send_event

    return lambda text: send_event(channel, "message", {"text": text})


WAYS: dict[str, Callable[..., Callable[[str], None]]] = {
    "signalbox": _signalbox,
    "http": _posted,
    "layer": _layer,
    "eventstream": _eventstream,
}


def publish_together(*, messages: int, threads: int, channel: str) -> dict[str, Any]:
    """Publish from several threads at once, each with a connection of its own; messages in all."""
    send = _signalbox(channel)
    took: list[float] = []

    def work() -> None:
        from django.db import connections

        mine = []
        for number in range(messages // threads):
            before = time.perf_counter()
            send(mark(number))
            mine.append(time.perf_counter() - before)
        took.extend(mine)
        connections.close_all()

    start = time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    return {"per_second": len(took) / seconds, "p99": 1000 * sorted(took)[int(0.99 * len(took))]}


def publish_many(*, channels: list[str], messages: int, at_once: int, size: int = 300) -> dict[str, Any]:
    """Publish to these channels in turn, so many in a transaction; counted until all are numbered."""
    from core.delivery.publishing import NewEvent
    from core.delivery.publishing import publish_many as publish_events

    start = time.perf_counter()
    for begin in range(0, messages, at_once):
        numbers = range(begin, min(begin + at_once, messages))
        publish_events([NewEvent(channels[n % len(channels)], "line", {"text": mark(n).ljust(size, ".")}) for n in numbers])
    seconds = time.perf_counter() - start
    return {"per_second": messages / seconds, "seconds": seconds, "unnumbered": unnumbered()}


def unnumbered() -> int:
    from core.models import Event

    return Event.objects.filter(offset__isnull=True).count()


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "publish": publish,
    "publish_together": publish_together,
    "publish_many": publish_many,
}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command, given = json.loads(line)
        print(json.dumps(COMMANDS[command](**given)), flush=True)


if __name__ == "__main__":
    main()
