"""The home page: what a guest sees, and the seam that apps bring their tiles by."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpRequest
from django.test import Client, RequestFactory

from core import home


def one(request: HttpRequest) -> home.Tile:
    return home.Tile("x.html", {"n": 1}, place=20)


def on_top(request: HttpRequest) -> home.Tile:
    return home.Tile("y.html", place=0)


def nothing(request: HttpRequest) -> None:
    return None


def test_tiles_stand_by_their_place_and_none_is_left_out(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for config in apps.get_app_configs():
        monkeypatch.setattr(config, "home_tiles", [], raising=False)
    monkeypatch.setattr(home, "import_string", {"a": one, "b": on_top, "c": nothing}.__getitem__)
    monkeypatch.setattr(apps.get_app_config("signalbox"), "home_tiles", ["a", "b", "c"])
    assert [tile.template for tile in home.tiles(rf.get("/"))] == ["y.html", "x.html"]


def test_a_guest_sees_the_way_in_and_no_inbox(client: Client, db: None) -> None:
    text = client.get("/").content.decode()
    assert "Sign in" in text
    assert "Notify me" not in text and "/inbox/" not in text and 'id="bell"' not in text


def test_a_person_sees_try_it_on_top_then_boards_inbox_and_rooms(alice: Any, client: Client) -> None:
    client.force_login(alice)
    text = client.get("/").content.decode()
    places = [text.index(words) for words in ("Try it", ">Dashboards</b>", ">Inbox</h2>", ">Rooms</b>")]
    assert places == sorted(places)


def test_home_is_live_where_it_shows_something_live(alice: Any, client: Client) -> None:
    client.force_login(alice)
    assert re.search(rf'data-channel="user:{alice.pk}" data-position="\w+:\d+" data-refetch="/', client.get("/").content.decode())


def test_home_takes_no_post(alice: Any, client: Client) -> None:
    client.force_login(alice)
    assert client.post("/").status_code == 405
