"""Front-end packages are served by a narrow list; static files obey HTTP."""

import pytest
from django.contrib.staticfiles import finders
from django.test import AsyncClient, Client

from core.finders import SERVED, NpmFinder

NEEDED = [
    "npm/htmx.org/dist/htmx.min.js",
    "npm/htmx.org/dist/ext/hx-upsert.min.js",
    "npm/uplot/dist/uPlot.iife.min.js",
    "npm/uplot/dist/uPlot.min.css",
    "npm/@picocss/pico/css/pico.classless.min.css",
    "npm/@fontsource-variable/inter/wght.css",
    "npm/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "npm/lucide-static/icons/bell.svg",
]
REFUSED = [
    "npm/htmx.org/package.json",
    "npm/htmx.org/dist/scripts/upgrade-check.js",
    "npm/htmx.org/dist/../package.json",
    "npm/lucide-static/icons/../package.json",
    "npm/lucide-static/icons/",
    "npm/axe-core/axe.min.js",
    "npm/../package.json",
    "npm/",
    "npm",
    "npm/htmx.org/dist/htmx.min.js/",
    "npm//htmx.org/dist/htmx.min.js",
    "npm/htmx.org/dist/HTMX.min.js",
    "npm/.package-lock.json",
]


@pytest.mark.parametrize("path", NEEDED)
def test_what_pages_need_is_found(path: str):
    assert finders.find(path)


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_is_found(path: str):
    assert not finders.find(path)
    assert Client().get(f"/static/{path}").status_code == 404


def test_the_list_for_collectstatic_is_the_list_that_is_served():
    listed = {f"{storage.prefix}/{path}" for path, storage in NpmFinder().list(None)}
    assert set(NEEDED) <= listed
    assert not set(REFUSED) & listed
    assert {path.split("/")[1] for path in listed if "@" not in path} == {package for package in SERVED if "@" not in package}


async def test_a_file_is_served_the_same_to_an_async_chain():
    file = await AsyncClient().get(f"/static/{NEEDED[0]}")
    assert file.status_code == 200
    assert file.content == Client().get(f"/static/{NEEDED[0]}").content


def test_an_unchanged_file_is_not_sent_again():
    first = Client().get(f"/static/{NEEDED[0]}")
    again = Client().get(f"/static/{NEEDED[0]}", headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_part_of_a_file_can_be_asked_for():
    part = Client().get(f"/static/{NEEDED[0]}", headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


def test_an_answer_without_content_claims_no_type():
    first = Client().get(f"/static/{NEEDED[0]}")
    again = Client().get(f"/static/{NEEDED[0]}", headers={"if-none-match": first.headers["ETag"]})
    assert "Content-Type" not in again.headers


def test_only_the_head_of_a_file_can_be_asked_for():
    head = Client().head(f"/static/{NEEDED[0]}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 10_000


def test_writing_to_a_file_is_refused():
    assert Client().post(f"/static/{NEEDED[0]}").status_code == 405


def test_files_carry_the_strict_policy_and_are_not_for_other_origins():
    headers = Client().get(f"/static/{NEEDED[0]}").headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
