"""The API described: a valid document, with a summary and an example for every operation, and a page that shows it without scripts."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_pydantic import OpenAPI

from core import api_docs
from core.api import api
from core.errors import Code
from core.middleware import CSP


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(json.dumps(api.get_openapi_schema())))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= set(schemas)


def test_every_operation_has_a_summary_a_description_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    operations = list(api_docs.operations_of(document))
    assert [path for path, _, operation in operations if not operation["summary"] or not operation.get("description")] == []
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)


def test_every_operation_has_examples_of_what_goes_in_and_what_comes_out(document: dict[str, Any]) -> None:
    without = []
    for path, method, operation in api_docs.operations_of(document):
        sent = operation.get("requestBody", {}).get("content", {})
        answers = [answer.get("content", {}) for status, answer in operation["responses"].items() if status.startswith("2")]
        if any(api_docs.example_of(body) is None for content in [sent, *answers] for body in content.values()):
            without.append(f"{method} {path}")
        if any("example" not in parameter for parameter in operation["parameters"] if parameter["in"] == "path"):
            without.append(f"{method} {path}: path")
    assert without == []


def test_every_operation_says_how_it_fails_and_every_write_takes_a_key(document: dict[str, Any]) -> None:
    for path, method, operation in api_docs.operations_of(document):
        assert operation["responses"]["default"]["content"]["application/problem+json"], path
        keys = [parameter["name"] for parameter in operation["parameters"] if parameter["name"] == "Idempotency-Key"]
        assert keys == ([] if method == "get" else ["Idempotency-Key"]), path


def test_no_parameter_is_named_twice(document: dict[str, Any]) -> None:
    for path, _, operation in api_docs.operations_of(document):
        names = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
        assert len(set(names)) == len(names), path


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.ids += [given["id"]] if given.get("id") else []
        self.links |= {given["href"]} if given.get("href") else set()
        outside = [value for name, value in attributes if name in {"src", "href"} and value and "//" in value]
        if "style" in given or any(name.startswith("on") for name in given) or (tag == "script" and "src" not in given) or outside:
            self.bad.append(self.get_starttag_text() or tag)


@pytest.fixture
def page(client: Any, db: None) -> tuple[Page, str]:
    answer = client.get("/api/v1/docs")
    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (200, CSP)
    shown, text = Page(), answer.content.decode()
    shown.feed(text)
    return shown, text


def test_the_page_runs_under_the_strict_policy(page: tuple[Page, str]) -> None:
    assert page[0].bad == []


def test_the_page_shows_every_operation_and_every_error(page: tuple[Page, str], document: dict[str, Any]) -> None:
    shown, text = page
    for path, method, operation in api_docs.operations_of(document):
        assert f"{method}-{operation['operationId']}" in shown.ids
        assert path in text
    assert {code.code for code in Code} <= set(shown.ids)


def test_the_pages_links_lead_somewhere_and_its_ids_are_unique(page: tuple[Page, str]) -> None:
    shown, _ = page
    assert len(set(shown.ids)) == len(shown.ids)
    assert {link[1:] for link in shown.links if link.startswith("#")} <= set(shown.ids)


def test_the_page_shows_a_line_that_works(page: tuple[Page, str], settings: Any) -> None:
    line = "-d &#x27;{&quot;channel&quot;: &quot;dashboard:ops&quot;, &quot;type&quot;: &quot;note&quot;"
    assert line in page[1]
    assert f"{settings.BASE_URL}/api/v1/publish" in page[1]


def test_a_signed_in_person_sees_the_page_in_her_shell(client: Any, bob: Any) -> None:
    client.force_login(bob)
    assert "token make bob" in client.get("/api/v1/docs").content.decode()
