"""A publisher in a process of its own: `python -m tests.chaos.publishers '<Plan as JSON>'`, until SIGTERM.

Before each transaction it writes what it is about to publish, after it what came of it: a line each, in a file of its own. So whoever
reads the file of a killed publisher knows which one transaction has an unknown outcome. `read_log` reads it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from tests.chaos.records import Mark, Outcome, Published
from tests.chaos.traffic import LOGS, Intended, Mixture, Transaction


@dataclass(frozen=True, slots=True)
class Plan:
    """What one publisher does. `failpoint` as in FAILPOINT, with `@n`; `http` are the addresses of web processes, with a token."""

    name: str
    log: str
    seed: int
    rate: float = 25.0
    rollbacks: float = 0.1
    quiet: list[str] = field(default_factory=list)
    failpoint: str = ""
    http: list[str] = field(default_factory=list)
    token: str = ""
    most: int = 0  # transactions; 0: until told to stop
    only: str = ""  # nothing but lines on this log
    fat: int = 0  # bytes that each line carries beside its name


class Deliberate(Exception):
    """Rolls a transaction back on purpose."""


_stopped = False


def _stop(*_: Any) -> None:
    global _stopped
    _stopped = True


class Log:
    """Appends lines. No fsync: a killed process loses nothing that it wrote."""

    def __init__(self, path: str) -> None:
        self._file: TextIO = open(path, "a", buffering=1)  # noqa: SIM115 (open as long as the process lives)

    def write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")


def paced(rate: float, most: int) -> Iterator[None]:
    """Beats at this rate until told to stop; what is late is made up for within a second, and not more."""
    due = time.monotonic()
    for number in count():
        if _stopped or number == most > 0:
            return
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        due = max(due + 1 / rate, time.monotonic() - 1)
        yield


def publish_directly(plan: Plan) -> None:
    """By `publish`, as code of an installation does."""
    import django

    django.setup()
    from tests.chaos.app import arm

    mixture = Mixture(plan.name, plan.seed, plan.rollbacks, list(plan.quiet))
    log, made = Log(plan.log), mixture.only(plan.only) if plan.only else iter(mixture)
    if plan.failpoint:
        arm(plan.failpoint)
    for _ in paced(plan.rate, plan.most):
        wanted = next(made)
        log.write(do="try", events=[asdict(event) for event in wanted.events], at=time.monotonic())
        outcome = _carried_out(plan, wanted)
        log.write(do=outcome, at=time.monotonic())


def _carried_out(plan: Plan, wanted: Transaction) -> str:
    from django.db import close_old_connections, transaction
    from django.db.utils import Error

    close_old_connections()  # as between two requests: else a connection that died would stay
    # What is one event has no need of a transaction: it is numbered as it is inserted.
    together = transaction.atomic() if len(wanted.events) > 1 or wanted.fails else nullcontext()
    try:
        with together:
            for event in wanted.events:
                _publish(plan, event)
            if wanted.fails:
                raise Deliberate
    except Deliberate:
        return "rolled back"
    except Error as error:
        return f"failed: {type(error).__name__} {str(error).strip()[:200]}"
    return "acknowledged"


def _publish(plan: Plan, event: Intended) -> None:
    from django.db import transaction

    from core.delivery.publishing import publish

    data: dict[str, Any] = {"p": plan.name, "n": event.number}
    if plan.fat:
        data["x"] = "x" * plan.fat
    if event.value is not None:
        data["v"] = event.value
    if not event.inner:
        publish(event.channel, event.type, data, key=event.key, version=event.version)
        return
    try:
        with transaction.atomic():
            publish(event.channel, event.type, data, key=event.key)
            raise Deliberate
    except Deliberate:
        return


def publish_by_http(plan: Plan) -> None:
    """By `POST /api/v1/publish`, each with an idempotency key: what got no answer is tried again, at whichever process is there."""
    import httpx

    log = Log(plan.log)
    for number, _ in enumerate(paced(plan.rate, plan.most), 1):
        event = Intended(LOGS[number % len(LOGS)], "line", number)
        log.write(do="try", events=[asdict(event)], at=time.monotonic())
        body = {"channel": event.channel, "type": event.type, "data": {"p": plan.name, "n": number}}
        headers = {"Authorization": f"Bearer {plan.token}", "Idempotency-Key": f"{plan.name}-{number}"}
        deadline = time.monotonic() + 30
        for attempt in count():
            url = plan.http[(number + attempt) % len(plan.http)]
            try:
                answer = httpx.post(f"{url}/api/v1/publish", json=body, headers=headers, timeout=3)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                said = "acknowledged" if answer.status_code == 202 else f"{answer.status_code} {answer.text[:200]}"
            if said == "acknowledged" or _stopped or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        log.write(do=said if said == "acknowledged" else f"failed: {said}", at=time.monotonic())


def read_log(path: Path, name: str, *, died_at: str = "") -> list[Published]:
    """What a publisher wrote. `died_at`: the failpoint at which it was killed, which tells what came of its last transaction."""
    found: list[Published] = []
    trying: dict[str, Any] | None = None
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    for line in lines:
        if line["do"] == "try":
            trying = line
        elif trying is not None:
            found += _events(name, trying, line["do"], line["at"])
            trying = None
    if trying is not None:
        ends = {"": "failed", "before_commit": "rolled back"}
        found += _events(name, trying, ends.get(died_at, "acknowledged"), trying["at"] + 0.001)
    return found


def _events(name: str, trying: dict[str, Any], end: str, at: float) -> Iterator[Published]:
    together = f"{name}@{trying['at']:.6f}"
    outcome = {"acknowledged": Outcome.ACKNOWLEDGED, "rolled back": Outcome.ROLLED_BACK}.get(end, Outcome.UNKNOWN)
    for event in trying["events"]:
        yield Published(
            mark=Mark(name, event["number"]),
            channel=event["channel"],
            outcome=Outcome.ROLLED_BACK if event["inner"] else outcome,
            began=trying["at"],
            ended=at,
            together=together,
            key=event["key"],
            slot="config" if event["type"] in {"config", "removed"} else "value" if event["value"] is not None else "",
            value=event["value"],
            lasting=event["lasting"],
            error=end.removeprefix("failed: ") if end.startswith("failed: ") else "",
        )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.chaos.settings")
    signal.signal(signal.SIGTERM, _stop)
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.http:
        publish_by_http(plan)
    else:
        publish_directly(plan)


if __name__ == "__main__":
    main()
