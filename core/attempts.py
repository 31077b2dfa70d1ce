"""How often one may try to sign in: failures count, by name and address, by address, and by name.

Held in this process, as all rates are (core.rates): with N web processes somebody who guesses gets up to N times as many tries. By name
alone the limit is wide, so that a stranger who guesses badly on purpose does not lock a person out: she waits half a minute at most.
"""

from core.rates import Rate

BOTH = Rate(1 / 12, 5)  # one name from one address: five tries, then one every twelve seconds
ADDRESS = Rate(1 / 3, 20)
NAME = Rate(1 / 30, 60)


def wait(name: str, address: str) -> float:
    """Seconds until this name may be tried again from this address (empty: unknown); 0 when now."""
    return max(rate.wait(who) for rate, who in _counted(name, address))


def failed(name: str, address: str) -> None:
    """Count a failure."""
    for rate, who in _counted(name, address):
        rate.take(who)


def _counted(name: str, address: str) -> list[tuple[Rate, str]]:
    name = name.casefold()[:150]
    return [(BOTH, f"{address} {name}"), (NAME, name), *([(ADDRESS, address)] if address else [])]
