"""The checker's page keeps the rules of live.js: the same cases as tests/js/position.test.js and channel.test.js play there."""

from typing import Any

from core.delivery.position import Position
from tests.chaos.view import Ask, Channel, Fetch, View

LOG = "chaoslog:a"


class Screen:
    def __init__(self) -> None:
        self.shown: list[Any] = []

    def show(self, channel: str, text: str, after: int) -> None:
        self.shown.append(text)

    def replace(self, channel: str, region: Any, at: int) -> None:
        self.shown = [region]

    def refuse(self, channel: str) -> None:
        self.shown = ["refused"]


def view(offset: int = 10) -> View:
    made = View(Screen())
    made.channels[LOG] = Channel(LOG, Position("e", offset))
    return made


def frame(start: int, end: int, epoch: str = "e") -> dict[str, Any]:
    return {"channel": LOG, "epoch": epoch, "from": start, "to": end, "html": f"{start}-{end}"}


def answer(offset: int, *, recovered: bool = True, number: int = 0) -> dict[str, Any]:
    return {"reply": number, "ok": True, "at": {LOG: {"position": f"e:{offset}", "recovered": recovered}}}


def live(offset: int = 10) -> View:
    made = view(offset)
    made.opened()
    assert made.receive(answer(offset)) == []
    return made


def test_a_frame_moves_the_channel_and_comes_once() -> None:
    page = live()
    assert page.receive(frame(10, 12)) == page.receive(frame(10, 12)) == page.receive(frame(8, 11)) == []
    assert page.screen.shown == ["10-12"] and page.channels[LOG].position.offset == 12


def test_what_comes_before_the_answer_waits_and_what_lies_beyond_it_comes_again() -> None:
    page = view()
    page.opened()
    page.receive(frame(12, 13))
    assert page.screen.shown == [] and page.receive(answer(13)) == []
    page.receive(frame(10, 13))
    assert page.screen.shown == ["10-13"] and page.caught_up == 1


def test_a_gap_asks_from_where_the_page_stands() -> None:
    page = live()
    assert page.receive(frame(12, 13)) == [Ask((LOG,))]
    assert page.standing([LOG]) == {LOG: "e:10"} and page.receive(frame(13, 14)) == []
    page.receive(answer(14, number=1))
    page.receive(frame(10, 14))
    assert page.screen.shown == ["10-14"]


def test_a_refetch_holds_frames_and_keeps_what_is_above_its_position() -> None:
    page = view()
    page.opened()
    assert page.receive(answer(20, recovered=False)) == [Fetch(LOG)]
    page.receive(frame(20, 21))
    page.receive(frame(21, 22))
    assert page.fetched(LOG, Position("e", 21), "region") == []
    assert page.screen.shown == ["region", "21-22"] and page.channels[LOG].position.offset == 22


def test_a_region_older_than_what_the_server_takes_for_shown_is_asked_on() -> None:
    page = view()
    page.opened()
    page.receive(answer(20, recovered=False))
    assert page.fetched(LOG, Position("e", 15), "region") == [Ask((LOG,))]


def test_a_frame_of_another_life_and_a_word_of_the_server_lead_to_a_refetch() -> None:
    page = live()
    assert page.receive(frame(0, 1, epoch="other")) == [Fetch(LOG)]
    page = live()
    assert page.receive({"signal": "resync", "channels": [LOG]}) == [Fetch(LOG)]
    assert page.receive({"signal": "resync", "channels": [LOG]}) == []  # it is on its way, and will be fetched again
    assert page.fetched(LOG, Position("e", 30), "old") == [Fetch(LOG)]


def test_too_much_that_waits_is_thrown_away_and_asked_for() -> None:
    page = live()
    page.receive({"signal": "resync", "channels": [LOG]})
    for offset in range(10, 20):
        page.receive(frame(offset, offset + 1) | {"html": "x" * 60_000})
    assert page.channels[LOG].kept == []
    assert page.fetched(LOG, Position("e", 11), "region") == [Ask((LOG,))]  # the server takes 20 for shown


def test_a_refused_channel_is_followed_no_more() -> None:
    page = view()
    page.opened()
    page.receive({"reply": 0, "ok": True, "at": {}, "refused": {LOG: "not_found"}})
    assert page.screen.shown == ["refused"] and page.channels == {}


def test_a_frame_of_an_epoch_that_is_over_is_not_fetched_for_again_and_again() -> None:
    page = live()
    assert page.receive({"signal": "resync", "channels": [LOG]}) == [Fetch(LOG)]
    page.receive(frame(10, 11))
    page.receive(frame(11, 12))
    assert page.fetched(LOG, Position("f", 10), "region") == []
    assert page.receive(frame(12, 13)) == [Fetch(LOG)]
    assert page.fetched(LOG, Position("f", 10), "region") == []
    page.receive(frame(10, 11, epoch="f"))
    assert page.screen.shown == ["region", "10-11"]
