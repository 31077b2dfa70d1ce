"""Two session cookies in one browser, and other sites' cookies on this host: a page and its socket are for the same person."""

import json

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.support.servers import Site, Web, make_site

pytestmark = pytest.mark.slow

PEOPLE = """
import json
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
made = {}
for name in ("alice", "bob"):
    user = get_user_model().objects.create_user(name)
    browser = Client()
    browser.force_login(user)
    made[name] = [user.pk, browser.cookies[settings.SESSION_COOKIE_NAME].value]
print(json.dumps(made))
"""
# What the browser sends, where {0} is the cookie's name at this port, and whose page it is then; "" nobody's.
SENT = {
    "one": (["{0}={alice}"], "alice"),
    "two values": (["{0}={alice}; {0}={bob}"], "bob"),
    "two values, the other way round": (["{0}={bob}; {0}={alice}"], "alice"),
    "the second is nobody's": (["{0}={alice}; {0}=x"], ""),
    "in two lines": (["{0}={alice}", "{0}={bob}"], ""),
    "of another port": (["sessionid_1={bob}; {0}={alice}; sessionid={bob}"], "alice"),
    "of another port alone": (["sessionid_1={bob}; sessionid={bob}"], ""),
    "beside one that another site made of JSON": (['settings={{"a": [1, 2]}}; {0}={alice}; =; ;;; odd key=1; path=/'], "alice"),
    "quoted": (['{0}="{alice}"'], "alice"),
    "with NUL": (['{0}="{alice}\\000"'], ""),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_a_page_and_its_socket_are_for_the_same_person(site: Site, server: str):
    with site.web(server=server) as web:
        code = PEOPLE.replace('("alice", "bob")', f'("alice-{server}", "bob-{server}")')
        made = json.loads(site.manage("shell", "-v0", "-c", code, PORT=str(web.port), BASE_URL=web.url).stdout.splitlines()[-1])
        pks = {name.partition("-")[0]: pk for name, (pk, _) in made.items()}
        keys = {name.partition("-")[0]: key for name, (_, key) in made.items()}
        for what, (lines, whose) in SENT.items():
            sent = [line.format(f"sessionid_{web.port}", **keys) for line in lines]
            assert await _page(web, sent) == await _socket(web, sent, pks) == (pks[whose] if whose else None), what
        assert "Traceback" not in web.output()


async def _page(web: Web, cookies: list[str]) -> int | None:
    """Whose page this is."""
    async with httpx.AsyncClient(timeout=40) as http:
        answer = await http.get(f"{web.url}/inbox/", headers=[("Cookie", line) for line in cookies])
    return int(answer.text.partition('data-user="')[2].partition('"')[0]) if answer.status_code == 200 else None


async def _socket(web: Web, cookies: list[str], people: dict[str, int]) -> int | None:
    """Whose own channel this socket may read."""
    headers = [("Cookie", line) for line in cookies]
    async with connect(web.socket_url, origin=Origin(web.url), additional_headers=headers, proxy=None, open_timeout=40) as socket:
        await socket.send(json.dumps({"do": "resume", "at": {f"user:{pk}": "0:0" for pk in people.values()}}))
        answer = json.loads(await socket.recv())
    mine = set(answer["at"])
    assert len(mine) <= 1
    return int(mine.pop().partition(":")[2]) if mine else None
