"""Who watches a board: shown to those who are signed in, live."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.delivery import history, presence
from core.delivery.channel import Reader, registry
from core.delivery.executor import on_executor
from core.models import Presence, Process
from dashboard.models import Dashboard
from tests.support.live import live_client

KIND = registry.kinds["presence"]


@pytest.mark.django_db
def test_the_page_shows_who_is_there_but_not_to_guests(board: Dashboard, bob: Any, signed_in: Callable[[Any], Client]) -> None:
    presence.refresh("here")
    Presence.objects.create(process=Process.objects.get(), channel=board.channel, who="olga & co", tabs=2)
    text = signed_in(bob).get("/dashboards/ops/").content.decode()
    assert f'data-channel="presence:dashboard.{board.pk}"' in text
    assert 'title="olga &amp; co">O<' in text
    assert signed_in(bob).get("/dashboards/ops/watching/").status_code == 200
    Dashboard.objects.update(access="public")
    assert "presence:" not in Client().get("/dashboards/ops/").content.decode()


@pytest.mark.django_db
def test_who_may_not_see_a_board_does_not_learn_who_watches_it(board: Dashboard, bob: Any, charlie: Any) -> None:
    member, stranger = Reader(user=str(bob.pk)), Reader(user=str(charlie.pk))
    assert KIND.readable([member, stranger], [f"dashboard.{board.pk}"]) == {(member, f"dashboard.{board.pk}")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("running_hub")
async def test_somebody_who_comes_and_goes_is_told_to_those_who_are_there(board: Dashboard, owner: Any, bob: Any) -> None:
    def cookies(user: Any) -> str:
        browser = Client()
        browser.force_login(user)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())

    about = f"presence:dashboard.{board.pk}"
    at = {name: str(where) for name, where in (await on_executor(history.positions, [board.channel, about])).items()}
    async with live_client(positions=dict(at), cookies=await on_executor(cookies, owner)) as watching:
        await watching.resume()
        async with live_client(positions={board.channel: at[board.channel]}, cookies=await on_executor(cookies, bob)) as other:
            await other.resume()
            await watching.texts_until(about, 'title="bob">B<')
        await watching.until(lambda me: 'hx-swap="delete"' in me.texts(about), described="bob's leaving")
