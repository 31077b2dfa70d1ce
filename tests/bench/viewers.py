"""Holds many sockets on one board and says which value each has and since when, in a process of its own: `python -m tests.bench.viewers`.

Speaks as load.py does, whose members these are. A tick is a number that every stat of the board shows (boards.py).
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

import picows
import uvloop

from tests.bench.load import Crowd, Listener

VALUE = re.compile(rb'class=\\"value num\\"[^>]*>([\d,]+)<')


class Watch(Listener):
    """One viewer: the newest tick of its frames, when it came, and how many widgets show the tick that is awaited."""

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        payload, crowd = frame.get_payload_as_bytes(), self.crowd
        assert isinstance(crowd, Viewers)
        shown = VALUE.search(payload)
        if shown is None:
            self.member.on_other(transport, payload)
            return
        now, tick = time.time(), int(shown[1].replace(b",", b""))
        crowd.frames += 1
        crowd.bytes += len(payload)
        crowd.seen.setdefault(tick, []).append(now)
        if crowd.awaited and (count := payload.count(crowd.awaited)):
            crowd.showing[self.member] = crowd.showing.get(self.member, 0) + count
            if crowd.showing[self.member] >= crowd.stats:
                crowd.done.setdefault(self.member, now)


class Viewers(Crowd):
    """All viewers of this process."""

    listener = Watch

    def __init__(self) -> None:
        super().__init__()
        self.begin(0)

    def begin(self, first: int, last: int = 0, stats: int = 0) -> dict[str, Any]:
        """Count anew; a viewer is done when it has seen the tick `last` on so many stats."""
        self.frames = self.bytes = 0
        self.seen: dict[int, list[float]] = {}
        self.showing: dict[Any, int] = {}
        self.done: dict[Any, float] = {}
        self.awaited, self.stats = f">{last:,}<".encode() if last else b"", stats
        return super().begin(first)

    async def await_last(self) -> dict[str, Any]:
        """Wait until all are done, at most ten seconds after the last frame. Says when the last was, and when each tick was seen."""
        frames, since = -1, time.time()
        while len(self.done) < len(self.members) and time.time() - since < 10:
            if self.frames != frames:
                frames, since = self.frames, time.time()
            await asyncio.sleep(0.02)
        spans = {tick: [min(times), max(times)] for tick, times in self.seen.items()}
        return {
            "done": len(self.done),
            "last": max(self.done.values(), default=0.0),
            "frames": self.frames,
            "bytes": self.bytes,
            "spans": spans,
        }


async def main() -> None:
    viewers, loop = Viewers(), asyncio.get_running_loop()
    print(json.dumps({"ready": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, given = json.loads(line)
        answer = getattr(viewers, command)(**given)
        print(json.dumps(await answer if asyncio.iscoroutine(answer) else answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
