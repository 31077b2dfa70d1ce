"""`compose.yaml` as it stands, on this machine's own servers: what a person does comes through nginx to either web process."""

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import errors
from core.errors import Code, Problem
from tests.support.certificates import certify
from tests.support.compose import Stack, compose_up, load_balancer
from tests.support.names import name_server
from tests.support.servers import ROOT, Postgres, Valkey, Web, accepts, free_port, wait_until
from tests.support.wire_client import SocketClient, socket_client

pytestmark = [pytest.mark.nginx, pytest.mark.postgres, pytest.mark.valkey, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, valkey: Valkey) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("compose")
    with compose_up(folder, database=postgres.new_database(), redis=valkey.url) as up:
        assert up.run("web", ["python", "manage.py", "demo"]) == 0
        yield up


def people(stack: Stack) -> dict[str, Any]:
    return dict(json.loads((stack.folder / "data" / "demo.json").read_text()))


def sign_in(stack: Stack, name: str) -> httpx.Client:
    """A browser in which that person is signed in, by way of nginx."""
    browser = httpx.Client(base_url=stack.url, timeout=20, follow_redirects=True)
    browser.get("/accounts/login/")
    given = {"username": name, "password": people(stack)["passwords"][name], "csrfmiddlewaretoken": csrf(browser)}
    answer = browser.post("/accounts/login/", data=given)
    assert answer.status_code == 200, answer.text[:500]
    assert f'data-user="{user_id(answer.text)}"' in answer.text
    return browser


def csrf(browser: httpx.Client) -> str:
    return next(value for name, value in browser.cookies.items() if name.startswith("csrftoken"))


def user_id(page: str) -> str:
    return page.partition('data-user="')[2].partition('"')[0]


def bearer(stack: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {people(stack)['token']}"}


def cookies(browser: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def connections(stack: Stack) -> list[float]:
    """How many live connections each web process has."""
    pages = [httpx.get(web.url + "/metrics", timeout=20).text for web in stack.webs]
    return [float(next(line.split()[1] for line in page.splitlines() if line.startswith("signalbox_connections "))) for page in pages]


async def test_an_event_published_in_one_web_process_shows_on_pages_of_both(stack: Stack) -> None:
    browser = sign_in(stack, "alice")
    user = f"user:{user_id(browser.get('/').text)}"
    async with AsyncExitStack() as open_pages:
        pages = [await page(open_pages, stack, browser, user) for _ in range(4)]
        assert min(connections(stack)) >= 1  # nginx deals them out in turn
        answer = browser.post(f"{stack.webs[0].url}/api/v1/notify/user:alice", headers=bearer(stack), content="Through nginx")
        assert answer.status_code == 202, answer.text
        for one in pages:
            await one.until(lambda me: "Through nginx" in me.texts(user), described="the notification")


async def page(open_pages: AsyncExitStack, stack: Stack, browser: httpx.Client, channel: str) -> SocketClient:
    """A page that is live on this channel from now on."""
    one = await open_pages.enter_async_context(socket_client(stack.socket_url, cookies=cookies(browser), positions={channel: "0:0"}))
    await one.resume()
    return one


async def test_a_stream_comes_through_unbuffered(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, timeout=20, headers=bearer(stack)) as http:
        user = f"user:{user_id(sign_in(stack, 'alice').get('/').text)}"
        async with http.stream("GET", f"/live/sse?channel={user}&as=json") as answer:
            assert answer.status_code == 200
            assert (await http.post("/api/v1/notify/user:alice", content="Streamed")).status_code == 202
            async with asyncio.timeout(20):
                async for line in answer.aiter_lines():
                    if "Streamed" in line:
                        break


def test_a_broadcast_is_written_by_the_worker_to_everybody(stack: Stack):
    http = httpx.Client(base_url=stack.url, timeout=20, headers=bearer(stack))
    sent = http.post("/api/v1/broadcasts", json={"audience": "all", "title": "Maintenance at 22:00"})
    assert sent.status_code == 202, sent.text
    state = lambda: http.get(f"/api/v1/broadcasts/{sent.json()['id']}").json()  # noqa: E731
    wait_until(lambda: state()["state"] == "done", described="the broadcast to be written")
    assert "Maintenance at 22:00" in sign_in(stack, "charlie").get("/inbox/").text


def test_static_files_are_nginxs_own_and_compressed(stack: Stack):
    answer = httpx.get(stack.url + "/static/core/live.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (ROOT / "core/static/core/live.js").read_bytes()
    assert httpx.get(stack.url + "/static/../data/secret_key").status_code in {400, 404}
    assert httpx.get(stack.url + "/static/%2e%2e/secret_key").status_code in {400, 404}


def test_with_a_certificate_whoever_comes_by_http_is_sent_to_https(stack: Stack, tmp_path: Path):
    """By the lines for tls.conf that the template shows, with files of the names that docs/production.md gives them."""
    lines = re.findall(r"^#     ((?:listen|set|ssl_).*;)$", (ROOT / "scripts/nginx.conf.template").read_text(), re.M)
    assert len(lines) == 2
    proxy = Stack(tmp_path, stack.database, stack.redis, webs=stack.webs)
    nginx, folder = proxy.nginx(), tmp_path / "nginx" / "tls"
    key, certificate = certify(folder)
    key.rename(folder / "privkey.pem")
    certificate.rename(folder / "fullchain.pem")
    here = "\n".join(lines).replace("listen 8443", f"listen 127.0.0.1:{proxy.tls_port}").replace("/etc/nginx/tls", str(folder))
    (folder / "tls.conf").write_text(here)
    nginx.start()
    try:
        wait_until(lambda: accepts(proxy.port), described="nginx", log=nginx.log)
        answer = httpx.get(proxy.url + "/inbox/?tab=unread", headers={"Host": "live.example.org:8000"})
        assert (answer.status_code, answer.headers["location"]) == (301, "https://live.example.org/inbox/?tab=unread")
        assert httpx.get(proxy.url + "/healthz", headers={"Host": "127.0.0.1:8080"}).json() == {"status": "alive"}
        assert httpx.get(f"https://127.0.0.1:{proxy.tls_port}/accounts/login/", verify=trusting()).status_code == 200
    finally:
        nginx.stop()


@dataclass
class Balanced(Stack):
    """One web process behind our nginx behind somebody's load balancer, which people come to by https."""

    def __post_init__(self) -> None:
        self.variables |= {"BASE_URL": f"https://127.0.0.1:{self.tls_port}", "TRUSTED_PROXY_HOPS": "2"}
        super().__post_init__()

    @property
    def outside(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    def browser(self, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """Who comes from this address of this machine."""
        way = httpx.HTTPTransport(verify=trusting(), local_address=address)
        given = {"Origin": self.outside, **headers}
        return httpx.Client(base_url=self.outside, transport=way, headers=given, timeout=20, follow_redirects=True)


def trusting() -> ssl.SSLContext:
    """Any certificate will do."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def balanced(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    folder = tmp_path_factory.mktemp("balanced")
    up = Balanced(folder, stack.database, stack.redis)
    up.webs = [up.web(free_port())]
    with ExitStack() as running:
        for process in (*up.webs, up.nginx(), load_balancer(folder / "balancer", port=up.tls_port, to=up.port)):
            running.callback(process.stop)
            process.start()
        for port in (up.port, up.tls_port):
            wait_until(lambda port=port: accepts(port), described="nginx", log=folder / "nginx.log")
        yield up


def try_to_sign_in(browser: httpx.Client, name: str, password: str) -> httpx.Response:
    page = browser.get("/inbox/")  # leads to the sign-in
    assert page.url.path == "/accounts/login/"
    given = {"username": name, "password": password, "csrfmiddlewaretoken": csrf(browser), "next": "/inbox/"}
    return browser.post("/accounts/login/", data=given)


async def test_behind_a_balancer_that_ends_tls_pages_and_sockets_are_https(stack: Stack, balanced: Balanced) -> None:
    with balanced.browser() as browser:
        inbox = try_to_sign_in(browser, "alice", people(stack)["passwords"]["alice"])
        assert (inbox.status_code, inbox.url.scheme, inbox.url.path) == (200, "https", "/inbox/")
        assert len(inbox.history) == 1
        assert "strict-transport-security" in inbox.headers
        assert browser.cookies and all(cookie.secure for cookie in browser.cookies.jar)
        user, url = f"user:{user_id(inbox.text)}", balanced.outside.replace("https", "wss") + "/live/ws"
        async with socket_client(url, tls=trusting(), cookies=cookies(browser), positions={user: "0:0"}) as page:
            assert user in (await page.resume())["at"]
        plain = balanced.outside.replace("https", "http")
        async with socket_client(url, tls=trusting(), cookies=cookies(browser), origin=plain) as page:
            await page.until(lambda me: me.closed is not None, described="the close")
            assert page.closed == 4403


def test_a_line_of_the_proxys_log_names_all_hops_and_the_request(balanced: Balanced):
    with balanced.browser("127.0.0.4") as browser:
        request = browser.get("/accounts/login/").headers["x-request-id"]
    log = balanced.folder / "nginx.log"
    line = wait_until(
        lambda: [one for one in log.read_text().splitlines() if one.endswith(f" {request}")], described="the request in the log"
    )
    assert line[0].startswith('"127.0.0.4, 127.0.0.1" GET /accounts/login/ 200 ')


def test_behind_a_balancer_who_says_himself_where_he_is_gains_nothing(balanced: Balanced):
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.9",
    }
    with (
        balanced.browser("127.0.0.2") as guessing,
        balanced.browser("127.0.0.2", **forged) as forging,
        balanced.browser("127.0.0.3") as other,
    ):
        assert [try_to_sign_in(guessing, "charlie", "wrong").status_code for _ in range(5)] == [200] * 5
        for browser, status in ((guessing, 429), (forging, 429), (other, 200)):
            answer = try_to_sign_in(browser, "charlie", "wrong")
            assert (answer.status_code, answer.url.scheme) == (status, "https")
            assert "evil.example" not in answer.text
            assert all(cookie.secure for cookie in browser.cookies.jar)


@pytest.mark.parametrize(("trusted", "code", "says"), [("2", 0, "fine  sockets"), ("3", 1, "but 2 proxies in front of https://")])
def test_doctor_comes_by_way_of_all_proxies_and_counts_them(balanced: Balanced, trusted: str, code: int, says: str):
    given = {"TRUSTED_PROXY_HOPS": trusted, "SSL_CERT_FILE": str(balanced.folder / "balancer" / "certificate.pem")}
    assert balanced.run("web", ["python", "manage.py", "doctor", "web", "sockets"], **given) == code
    assert says in (balanced.folder / "web.log").read_text()


def test_the_figures_are_for_the_network_within_and_not_for_whom_a_balancer_calls(stack: Stack, balanced: Balanced):
    assert httpx.get(balanced.url + "/metrics", headers={"Host": "10.0.0.7"}).status_code == 200
    with balanced.browser() as browser:
        assert browser.get("/metrics").status_code == 403


def test_the_log_of_the_proxy_holds_no_query_and_no_token(stack: Stack):
    httpx.get(stack.url + "/d/a-secret-link/?code=hunter2")
    log = stack.folder / "nginx.log"
    wait_until(lambda: "/d/***" in log.read_text(), described="the request in nginx's log")
    assert "a-secret-link" not in log.read_text()
    assert "hunter2" not in log.read_text()


def test_the_name_of_the_web_processes_is_asked_for_as_they_come_and_go(stack: Stack, tmp_path: Path):
    """By a resolver, as in the network of the containers; elsewhere these tests have nginx deal out to an upstream."""
    proxy = Stack(tmp_path, stack.database, stack.redis, webs=stack.webs)
    ask = lambda: httpx.get(proxy.url + "/healthz").status_code  # noqa: E731
    with name_server(["127.0.0.1"]) as names:
        written = proxy.services["nginx"]["environment"]["WEB"]
        assert written == "web:8000"
        nginx = proxy.nginx(WEB=written.replace("8000", str(stack.webs[0].port)), RESOLVER=f"127.0.0.1:{names.port}")
        nginx.start()
        try:
            wait_until(lambda: accepts(proxy.port), described="nginx", log=nginx.log)
            assert ask() == 200
            names.addresses = ["127.0.0.3", "127.0.0.1"]  # where nobody listens, and where somebody does
            wait_until(lambda: ask() == 200 and len(names.asked) >= 4, described="the name to be asked for anew")
            assert [ask() for _ in range(6)] == [200] * 6
            names.addresses = ["127.0.0.3"]
            wait_until(lambda: ask() == 503, described="nobody to be there")
            assert set(names.asked) == {"web"}
        finally:
            nginx.stop()


def test_where_no_web_process_answers_the_proxy_says_when_to_come_back(stack: Stack, tmp_path: Path):
    gone = Web([], tmp_path / "log", port=free_port())
    proxy = Stack(tmp_path, stack.database, stack.redis, webs=[gone])
    nginx = proxy.nginx()
    nginx.start()
    try:
        wait_until(lambda: accepts(proxy.port), described="nginx", log=nginx.log)
        page, call = httpx.get(proxy.url + "/inbox/"), httpx.post(proxy.url + "/api/v1/notify/ops", content="x")
        for answer in (page, call):
            assert (answer.status_code, answer.headers["retry-after"], answer.headers["cache-control"]) == (503, "5", "no-store")
        assert page.headers["content-type"] == "text/html" and "One moment" in page.text
        assert call.headers["content-type"] == "application/problem+json"
        ours = errors.body_of(Problem(Code.UNAVAILABLE, call.json()["detail"]))
        assert call.json() == ours, "as our own would say it"
    finally:
        nginx.stop()


@pytest.mark.parametrize("service", ["web", "worker", "beat", "nginx"])
def test_each_health_check_finds_its_service_well(stack: Stack, service: str):
    wait_until(lambda: health(stack, service) == 0, described=f"{service} to be healthy", log=stack.folder / f"{service}.log")


@pytest.mark.parametrize("service", ["web", "nginx"])
def test_each_health_check_finds_its_service_ill_where_nobody_listens(stack: Stack, service: str):
    assert health(stack, service, port=free_port()) != 0


def health(stack: Stack, service: str, *, port: int = 0) -> int:
    """Run a service's check as it is written, with this machine's port in the place of the container's."""
    test = stack.services[service]["healthcheck"]["test"]
    assert test[0] == "CMD"
    ours = {"web": ("127.0.0.1:8000", stack.webs[0].port), "nginx": ("127.0.0.1:8080", stack.port)}
    if service not in ours:
        return stack.run(service, test[1:])
    theirs, here = ours[service]
    assert theirs in " ".join(test)
    return stack.run(service, [word.replace(theirs, f"127.0.0.1:{port or here}") for word in test[1:]])


async def notify(http: httpx.AsyncClient, text: str) -> None:
    """As a careful program does it: again with the same key, where the process that had the request went away."""
    for _ in range(5):
        answer = await http.post("/api/v1/notify/user:alice", content=text, headers={"Idempotency-Key": text})
        if answer.status_code != 503:
            break
    assert answer.status_code == 202, answer.text


async def test_a_rolling_restart_loses_nothing(stack: Stack) -> None:
    browser = sign_in(stack, "alice")
    user = f"user:{user_id(browser.get('/').text)}"
    http = httpx.AsyncClient(base_url=stack.url, timeout=20, headers=bearer(stack))
    async with AsyncExitStack() as open_pages:
        one = await page(open_pages, stack, browser, user)
        said = 0
        for web in stack.webs:
            stopping = asyncio.get_running_loop().run_in_executor(None, web.stop)
            while not stopping.done():
                await notify(http, f"Deploy {said}.")
                said += 1
                await asyncio.wait([stopping], timeout=0.2)
            assert await stopping == 0
            await asyncio.get_running_loop().run_in_executor(None, web.start)
            if one.closed is not None:
                assert one.closed == 1012
                shown, at = one.texts(user), dict(one.positions)
                one = await open_pages.enter_async_context(socket_client(stack.socket_url, cookies=cookies(browser), positions=at))
                one.shown[user] = [shown]
                assert (await one.resume())["at"][user]["recovered"]
        assert said > 1
        for number in range(said):
            await one.until(lambda me, text=f"Deploy {number}.": text in me.texts(user), described=f"notification {number} of {said}")
        assert (await http.get("/inbox/?q=Deploy", headers={"Cookie": cookies(browser)})).text.count("Deploy 0.") == 1
    for web in stack.webs:
        assert "Traceback" not in web.output()
