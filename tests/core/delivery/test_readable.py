"""Asking kinds who may read what: together where it is one question, and never about more than anybody wants to know."""

from collections.abc import Collection

from core.delivery.channel import ChannelName, Kind, Reader
from core.delivery.recheck import NEEDLESS, TOGETHER, readable


class Asked(Kind):
    """Lets everybody read all but what begins with `secret`, and remembers the questions."""

    name = "asked"

    def __init__(self) -> None:
        self.questions: list[tuple[int, int]] = []

    def readable(self, readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
        self.questions.append((len(readers), len(keys)))
        return {(reader, key) for reader in readers for key in keys if not key.startswith("secret")}


PEOPLE = [Reader(user=str(number)) for number in range(500)]


def test_many_readers_of_few_channels_are_one_question() -> None:
    kind = Asked()
    pairs = {(person, key) for person in PEOPLE for key in ("1", "2", "secret")}
    assert readable({kind: pairs}) == {(person, ChannelName("asked", key)) for person in PEOPLE for key in ("1", "2")}
    assert kind.questions == [(500, 3)]


def test_readers_who_each_read_something_else_are_not_multiplied_with_each_other() -> None:
    kind = Asked()
    own = {(person, person.user) for person in PEOPLE} | {(PEOPLE[0], "secret")}
    assert readable({kind: own}) == {(person, ChannelName("asked", person.user)) for person in PEOPLE}
    assert sum(readers * keys for readers, keys in kind.questions) <= TOGETHER * len(own)
    assert len(kind.questions) <= len(own) // TOGETHER + 1


def test_what_nobody_asked_about_is_not_granted() -> None:
    kind = Asked()
    pairs = {(PEOPLE[0], "1"), (PEOPLE[1], "2")}
    assert len(pairs) ** 2 <= NEEDLESS * len(pairs)  # so it is one question about all four
    assert readable({kind: pairs}) == {(PEOPLE[0], ChannelName("asked", "1")), (PEOPLE[1], ChannelName("asked", "2"))}


def test_a_token_reads_within_its_scopes_only() -> None:
    narrow = Reader(user="1", scopes=("read:asked:1",))
    assert readable({Asked(): {(narrow, "1"), (narrow, "2")}}) == {(narrow, ChannelName("asked", "1"))}
