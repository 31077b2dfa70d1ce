"""Places where a test may make this process fail, named by FAILPOINT=<name>:<kill|sleep:seconds|raise>. Costs one comparison when unset."""

import os
import signal
import time
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured

NAMES = ("before_commit", "after_commit", "in_sequencer", "sequenced", "mid_fanout", "client_unapplied")


class FailpointHit(RuntimeError):
    """What a failpoint of the action `raise` raises."""


def _parse(text: str) -> tuple[str, Callable[[], None]]:
    """Read a failpoint. Raises ImproperlyConfigured."""
    name, _, action = text.partition(":")
    verb, _, seconds = action.partition(":")
    actions: dict[str, Callable[[], None]] = {
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "sleep": lambda: time.sleep(float(seconds)),
        "raise": lambda: _raise(name),
    }
    if name not in NAMES or verb not in actions:
        raise ImproperlyConfigured(f"FAILPOINT={text!r} is not <name>:<kill|sleep:seconds|raise> with a name of {', '.join(NAMES)}.")
    return name, actions[verb]


def _raise(name: str) -> None:
    raise FailpointHit(name)


_name, _act = _parse(os.environ["FAILPOINT"]) if os.environ.get("FAILPOINT") else ("", lambda: None)


def hit(name: str) -> None:
    """Fail here, if this is the place."""
    if name == _name:
        _act()
