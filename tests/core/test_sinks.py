"""Apps that do not know each other speak through sinks."""

import pytest

from core.sinks import Sink


def test_everybody_who_connected_is_told_once_and_in_order() -> None:
    sink: Sink[str] = Sink()
    heard: list[str] = []

    def first(said: str) -> None:
        heard.append(f"first {said}")

    sink.tell("nobody listens yet")
    for take in (first, lambda said: heard.append(f"second {said}"), first):
        sink.connect(take)
    sink.tell("hello")
    sink.disconnect(first)
    sink.tell("again")
    assert heard == ["first hello", "second hello", "second again"]


def test_what_a_taker_raises_reaches_the_caller() -> None:
    sink: Sink[str] = Sink()

    def refuse(said: str) -> None:
        raise LookupError(said)

    sink.connect(refuse)
    with pytest.raises(LookupError, match="hello"):
        sink.tell("hello")
