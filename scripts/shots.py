"""`make shots`: every page, and every kind of widget in every state, at 390, 768 and 1360 px, light and dark, to docs/pictures/.

Names as arguments: these pages only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from scripts import states
from tests.e2e import pages
from tests.support import browser as browsers
from tests.support import servers

BROADCASTS = {
    f"broadcast-{state}": f"/admin/signalbox_notifications/broadcast/{number}/progress/"
    for number, state in enumerate(("done", "paused"), 1)
}
OPENED = {"bell": "/"}
UNSUBSCRIBE = """
from urllib.parse import urlsplit
from django.contrib.auth import get_user_model
from notifications.unsubscribing import link
print(urlsplit(link(get_user_model().objects.get(username="alice"), "alert", "email")).path)
"""
WIDGETS = {f"widgets-{state}": f"/dashboards/widgets-{state}/" for state in states.STATES}
PICTURES = servers.ROOT / "docs" / "pictures"
TALLEST = 2000
README = 632  # down to the end of the second row
COLOURS = 192
NEWS = (
    ("Storage is down", "No answer for 30 s. Threshold: 10 s.", "high"),
    ("Payment latency above 200 ms", "Firing for 3 min, recovered at 14:24.", "normal"),
    ("Import finished", "48,112 rows in 3 min 12 s.", "normal"),
    ("Deployed checkout 4.18", "12 commits. Payment latency is being watched for the next 15 minutes.", "low"),
)


def main(wanted: list[str]) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with whole_demo() as (site, url, kept), browsers.chromium() as browser:
        for title, text, priority in NEWS:
            tell(url, kept["token"], title=title, text=text, priority=priority)
        with site.web(DEBUG="1") as developer:
            where = {"guest": url, "person": url, "developer": developer.url}
            guest = pages.GUEST | {"unsubscribe": site.manage("shell", "-v0", "-c", UNSUBSCRIBE).stdout.split()[-1]}
            for name, picture in shoot_all(browser, where, kept, wanted, guest):
                (PICTURES / name).write_bytes(small(picture))
                if name == "dashboard-1360-light.png":
                    (PICTURES / "readme.png").write_bytes(small(picture, tallest=README))
    total = sum(path.stat().st_size for path in PICTURES.glob("*.png"))
    print(f"shots: {len(list(PICTURES.glob('*.png')))} pictures, {total / 1e6:.1f} MB, in {PICTURES.relative_to(Path.cwd())}/")


@contextmanager
def whole_demo() -> Iterator[tuple[servers.Site, str, Any]]:
    """What `make run` starts, on a free port, with a folder of its own: (site, address, what demo.json holds)."""
    with servers.start_valkey() as valkey:
        # Given to all, the second web process too: one without it would say on the board that there is none.
        yield from _started({"REDIS_URL": valkey.url})


def _started(given: dict[str, str]) -> Iterator[tuple[servers.Site, str, Any]]:
    folder, port = Path(tempfile.mkdtemp(prefix="sb-shots-")), servers.free_port()
    site = servers.Site(folder, given)
    environment = site.env(PORT=str(port), BASE_URL=f"http://127.0.0.1:{port}")
    for step in ("prepare", "demo"):
        site.manage(step)
    for told in ("scripts.story", "scripts.states"):
        subprocess.run([sys.executable, "-m", told], cwd=servers.ROOT, env=environment, check=True)
    everything = servers.Web([sys.executable, "-m", "core.run"], folder / "run.log", environment, port=port)
    try:
        everything.start()
        yield site, everything.url, json.loads((folder / "demo.json").read_text())
    finally:
        everything.stop(by=signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def tell(url: str, token: str, *, title: str, text: str, priority: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Title": title, "Priority": priority, "Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/notify/alice", text.encode(), headers), timeout=10).close()


def shoot_all(browser: Browser, where: dict[str, str], kept: Any, wanted: list[str], guest: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    person = pages.PERSON | BROADCASTS | WIDGETS | OPENED
    for theme in pages.THEMES:
        for who, addresses in (("guest", guest), ("person", person), ("developer", pages.DEVELOPER)):
            context = browsers.new_context(browser, theme=theme, reduced_motion="reduce", locale="en-GB", base_url=where[who])
            page = context.new_page()
            if who != "guest":
                browsers.sign_in(page, where[who], name="alice", password=kept["passwords"]["alice"])
            for name, address in addresses.items():
                if not wanted or name in wanted:
                    yield from shoot(page, name, address, theme)
            context.close()


def shoot(page: Page, name: str, address: str, theme: str) -> Iterator[tuple[str, bytes]]:
    for width, height in pages.WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto(address)
        page.wait_for_load_state("load")
        page.evaluate("document.fonts.ready.then(() => null)")
        if page.locator("[data-live-chip]").count():
            page.locator("[data-live-chip].live").first.wait_for(state="attached")
        if name == "bell":
            page.locator("#bell").click()
            page.locator("#bell-list > li").first.wait_for()
        # The window grows to the page, so that the bar below stands below and not in the middle.
        whole = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(height, min(whole, TALLEST))})
        # Charts are drawn when they are on the screen, with one of the next frames.
        page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 300))")
        yield f"{name}-{width}-{theme}.png", page.screenshot(animations="disabled", caret="hide")


def small(picture: bytes, *, tallest: int = TALLEST) -> bytes:
    """The same picture, or its top, with a palette: a third of the size, and flat colours stay what they are."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, tallest))).quantize(
        COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    main(sys.argv[1:])
