"""Public addresses of boards: whoever has one may look, live, and nothing else; until it ends."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from core.delivery import history, tickets
from core.delivery.channel import Reader, registry
from core.delivery.executor import on_executor
from core.delivery.reading import Reading
from dashboard.actions import end_links_now, make_link, record, revoke_link
from dashboard.models import Dashboard, ShareLink, Widget
from tests.dashboard.conftest import at
from tests.support.live import live_client

KIND = registry.kinds["dashboard"]


async def _nothing(self: Reading) -> None:
    pass


@pytest.fixture
def link(board: Dashboard, owner: Any) -> tuple[ShareLink, str]:
    return make_link(board, by=owner)


@pytest.mark.django_db
def test_a_guest_with_the_address_sees_the_board_and_nothing_else(
    link: tuple[ShareLink, str], stat: Widget, chart: Widget, owner: Any
) -> None:
    record(stat, 42)
    record(chart, 1)
    guest = Client()
    text = guest.get(f"/d/{link[1]}/").content.decode()
    assert "42<" in text
    assert f'data-ticket="/d/{link[1]}/ticket/"' in text
    assert f'data-refetch="/d/{link[1]}/board/"' in text
    assert "/dashboards/ops" not in text
    (points,) = re.findall(r'data-points-url="([^"]+)"', text)
    assert guest.get(points).json()["series"]
    assert guest.get(f"/d/{link[1]}/queue/table/").status_code == 200
    saved = guest.get(f"/d/{link[1]}/queue.csv")
    assert b"".join(saved.streaming_content).splitlines()[1].endswith(b",,42.0,")
    assert saved.headers["X-Robots-Tag"] == "noindex"
    assert f'href="/d/{link[1]}/queue.csv"' in guest.get(f"/d/{link[1]}/queue/table/").content.decode()
    assert guest.get(f"/d/{link[1]}/board/").status_code == 200
    assert guest.get("/dashboards/ops/").status_code == 404
    assert guest.get(f"/d/{link[1]}/").headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "board/", "queue/points/", "queue/table/", "queue.csv"])
@pytest.mark.parametrize("why", ["revoked", "expired", "unknown", "another widget"])
def test_what_is_not_open_is_not_there(board: Dashboard, owner: Any, stat: Widget, path: str, why: str) -> None:
    link, token = make_link(board, by=owner, expires_at=at(-86400 * 3650) if why == "expired" else None)
    if why == "revoked":
        revoke_link(link, now=timezone.now())
    if why == "unknown":
        token = token[:-1] + ("a" if token[-1] != "a" else "b")
    address = f"/d/{token}/{path}"
    if why == "another widget":
        address = f"/d/{token}/{path.replace('queue', 'nothing')}"
    asked = Client().get(address).status_code
    assert asked == (200 if why == "another widget" and "queue" not in path else 404)


@pytest.mark.django_db
def test_the_token_is_not_stored_and_the_ticket_needs_the_form_s_token(link: tuple[ShareLink, str]) -> None:
    assert link[1] not in repr(vars(ShareLink.objects.get()))
    assert Client(enforce_csrf_checks=True).post(f"/d/{link[1]}/ticket/").status_code == 403
    answer = json.loads(Client().post(f"/d/{link[1]}/ticket/").content)
    assert tickets.read(answer["ticket"]) == f"dashboard:{link[0].pk}"
    assert Client().get(f"/d/{link[1]}/ticket/").status_code == 405


@pytest.mark.parametrize("ticket", ["", "x", "dashboard:1", "a:b:c", "\ud800", "é" * 100])
def test_what_is_no_ticket_opens_nothing(ticket: str) -> None:
    assert tickets.read(ticket) == ""


def test_a_ticket_ends_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = tickets.make("dashboard:1")
    monkeypatch.setattr(tickets, "SECONDS", -1)
    assert tickets.read(ticket) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("share", ["dashboard:", "dashboard:x", "dashboard:-1", "room:{}", "{}", "dashboard:999999", "dashboard:\u0661"])
def test_only_the_link_s_own_share_reads_only_its_own_board(board: Dashboard, owner: Any, link: tuple[ShareLink, str], share: str) -> None:
    other = Dashboard.objects.create(slug="other", title="Other", owner=owner)
    right, wrong = Reader(share=f"dashboard:{link[0].pk}"), Reader(share=share.format(link[0].pk))
    keys = [str(board.pk), str(other.pk)]
    assert KIND.readable([right, wrong], keys) == {(right, str(board.pk))}


def _end(link: ShareLink, how: str) -> None:
    """On the page of the board, or by somebody of the staff in the admin."""
    if how == "revoked":
        return revoke_link(link, now=timezone.now())
    browser, page = Client(), f"/admin/signalbox_dashboard/sharelink/{link.pk}"
    browser.force_login(get_user_model().objects.create_superuser("root"))
    if how == "deleted in the admin":
        answer = browser.post(f"{page}/delete/", {"post": "yes"})
    else:
        ended = {"revoked_at_0": "2026-01-01", "revoked_at_1": "00:00", "dashboard": link.dashboard_id, "created_by": link.created_by_id}
        answer = browser.post(f"{page}/change/", ended)
    assert answer.status_code == 302
    assert not ShareLink.objects.filter(pk=link.pk, revoked_at=None).exists()


@pytest.mark.parametrize("how", ["revoked", "revoked in the admin", "deleted in the admin"])
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("running_hub")
async def test_a_shared_board_is_live_and_goes_dark_by_the_word_of_its_end_before_anything_later(
    board: Dashboard, stat: Widget, owner: Any, link: tuple[ShareLink, str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    # No poll repairs anything here, and everybody's rights are looked at again in 48 s at the earliest: what is left is told at once.
    monkeypatch.setattr(Reading, "poll", _nothing)
    positions = {board.channel: str((await on_executor(history.positions, [board.channel]))[board.channel])}
    async with live_client(positions=dict(positions)) as stranger:
        assert (await stranger.resume(share="nonsense"))["refused"] == {board.channel: "not_found"}
    async with live_client(positions=positions) as guest:
        reply = await guest.resume(share=tickets.make(f"dashboard:{link[0].pk}"))
        assert reply["at"][board.channel]["recovered"]
        await on_executor(record, "ops/queue", 42)
        await guest.until(lambda me: f"w-{stat.pk}-" in me.texts(board.channel), described="the value")
        await on_executor(_end, link[0], how)
        await guest.until(lambda me: any(f.get("signal") == "resync" for f in me.frames), described="the end")
        shown = len(guest.frames)
        await on_executor(record, "ops/queue", 43)
        guest.say({"do": "ping"})
        await guest.until(lambda me: me.frames[-1].get("signal") == "pong", described="pong")
        assert len(guest.frames) == shown + 1
        assert '">43<' not in guest.texts(board.channel)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("running_hub")
async def test_a_board_goes_dark_when_the_time_of_its_address_is_over(board: Dashboard, stat: Widget, owner: Any) -> None:
    link, _ = await on_executor(make_link, board, by=owner, expires_at=timezone.now() + timedelta(days=1))
    positions = {board.channel: str((await on_executor(history.positions, [board.channel]))[board.channel])}
    async with live_client(positions=positions) as guest:
        assert (await guest.resume(share=tickets.make(f"dashboard:{link.pk}")))["at"][board.channel]["recovered"]
        assert await on_executor(end_links_now) == 0
        await on_executor(ShareLink.objects.filter(pk=link.pk).update, expires_at=timezone.now())
        assert await on_executor(end_links_now) == 1
        await guest.until(lambda me: any(f.get("signal") == "resync" for f in me.frames), described="the end")
    assert await on_executor(end_links_now) == 0
