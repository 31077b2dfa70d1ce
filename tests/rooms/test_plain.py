"""The words of the plain chat sockets."""

import json

import pytest

from notifications.rooms import plain
from notifications.rooms.plain import BadFrame, Said, heard


def test_the_greeting_word_for_word() -> None:
    assert plain.greeting() == '{"type": "connection_established", "message": "You are now connected!"}'


def test_an_object_is_answered_by_bare_text_and_bare_text_by_an_object() -> None:
    assert plain.echoed(heard('{"message":"Hello Django"}', limit=100)) == "You said: Hello Django"
    assert plain.echoed(heard("Hello Django", limit=100)) == '{"message": "Hello Django"}'


@pytest.mark.parametrize("text", ["5", '"x"', "true", "null", "NaN", "", " ", "hello {", "1e400", "9" * 4400])
def test_what_is_neither_object_nor_list_is_bare_text(text: str) -> None:
    assert heard(text, limit=65536) == Said(text, raw=True)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        '{"message": ',
        "{}",
        "[]",
        '["message"]',
        '{"message": 5}',
        '{"message": null}',
        '{"message": ["a"]}',
        '{"message": "a", "client_id": 5}',
        '{"message": "\\ud800"}',
        '{"message": "a", "x": NaN}',
        '{"message": "a", "x": Infinity}',
        '{"x": ' + "[" * 20_000 + "]" * 20_000 + ', "message": "a"}',
        "[" * 20_000,
        '{"Message": "a"}',
        '{"message": "a"} {"message": "b"}',
    ],
)
def test_a_frame_that_cannot_be_read_is_refused_in_words(text: str | None) -> None:
    with pytest.raises(BadFrame) as caught:
        heard(text, limit=65536)
    assert caught.value.code == "bad_frame"
    assert str(caught.value)


@pytest.mark.parametrize(
    "more",
    ['"type":"websocket.disconnect"', '"type":"chat.message"', '"type":"__class__"', '"x":1e400', '"x":' + "9" * 4400, '"message":"b"'],
)
def test_whatever_else_an_object_holds_is_not_looked_at(more: str) -> None:
    assert heard('{"message":"a",' + more + "}", limit=65536).message in {"a", "b"}


def test_a_frame_is_measured_in_bytes() -> None:
    assert heard("é" * 50, limit=100)
    with pytest.raises(BadFrame) as caught:
        heard("é" * 51, limit=100)
    assert caught.value.code == "too_large"
    assert heard("x" * 10**6, limit=0)


def test_a_message_of_a_room_carries_the_keys_of_the_interface() -> None:
    text = plain.chat(room="lobby", data={"name": "guest-1234", "text": "a\nb", "at": "2026-11-21T07:10:00Z"}, position="e3f1:41")
    assert "\n" not in text
    assert json.loads(text) == {
        "type": "chat.message",
        "room": "lobby",
        "user": "guest-1234",
        "message": "a\nb",
        "position": "e3f1:41",
        "at": "2026-11-21T07:10:00Z",
    }
