"""The API described: OpenAPI with what the guard adds to every operation, and a page of our own that shows it: docs/reference/api.md."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja.openapi.docs import DocsBase

from core.errors import MEDIA_TYPE, Code
from core.tokens import GRAMMAR

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_KEY_PARAMETER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Your name for this one write: sent again within 24 hours it is answered as the first time, and nothing happens twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "example": "deploy-42",
}
_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "code", "field", "detail", "allowed"],
    "properties": {
        "type": {"type": "string", "description": "Where this error is described."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [code.code for code in Code]},
        "field": {"type": ["string", "null"], "description": "What in the request was wrong."},
        "detail": {"type": "string", "description": "What was wrong, and what would have been right."},
        "allowed": {"type": "array", "items": {"type": "string"}, "description": "What would do."},
    },
}


def operations_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Json]]:
    """Every operation of an OpenAPI document: its path, its method, and what is said of it."""
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def completed(schema: Any) -> Any:
    """The document with what every operation has: how it fails and, where it writes, the Idempotency-Key."""
    schema["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    problem = {"description": "An error", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for _, method, operation in operations_of(schema):
        operation["responses"].setdefault("default", problem)
        if method != "get" and _KEY_PARAMETER not in operation["parameters"]:
            operation["parameters"].append(_KEY_PARAMETER)
    return schema


# --- the page ---


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter or one member of a body, as the page shows it."""

    name: str
    place: str
    type: str
    required: bool
    description: list["Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of a description: prose, or what stood between backticks."""

    text: str
    code: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation, as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    paragraphs: list[list["Words"]]
    curl: str
    fields: list[Field]
    answer: str


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    operations: list[Shown] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.name.lower().replace(" ", "-")


class Docs(DocsBase):
    """Renders the document as one page of HTML."""

    def render_page(self, request: HttpRequest, api: Any, **kwargs: Any) -> HttpResponse:
        request.live.read()  # type: ignore[attr-defined]
        schema = api.get_openapi_schema()
        context = {
            "api": api,
            "openapi_url": self.get_openapi_url(api, kwargs),
            "sections": sections(schema),
            "codes": list(Code),
            "scopes": GRAMMAR,
            "base_url": settings.BASE_URL,
        }
        return render(request, "api/docs.html", context)


def sections(schema: Mapping[str, Any]) -> list[Section]:
    """The operations by tag; within a tag in the order of their routers."""
    found: dict[str, Section] = {}
    for path, method, operation in operations_of(schema):
        name = (operation.get("tags") or ["More"])[0]
        found.setdefault(name, Section(name)).operations.append(_shown(schema, path, method, operation))
    return [found[name] for name in sorted(found)]


def _shown(schema: Mapping[str, Any], path: str, method: str, operation: Json) -> Shown:
    media, body = _first(operation.get("requestBody", {}).get("content", {}))
    return Shown(
        id=f"{method}-{operation['operationId']}",
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        paragraphs=[_words(part) for part in operation.get("description", "").split("\n\n") if part.strip()],
        curl=_curl(path, method, operation, media, body),
        fields=[*_parameters(operation), *_members(schema, body.get("schema", {}))],
        answer=_answer(operation),
    )


def _words(text: str) -> list[Words]:
    pieces = " ".join(text.split()).split("`")
    return [Words(piece, code=number % 2 == 1) for number, piece in enumerate(pieces) if piece]


def _first(content: Mapping[str, Any]) -> tuple[str, Json]:
    # A plain body beside JSON is the shorter line to show.
    for media in sorted(content, key=lambda media: media != "text/plain"):
        return media, content[media]
    return "", {}


def _curl(path: str, method: str, operation: Json, media: str, body: Json) -> str:
    parts = ['curl -H "Authorization: Bearer $T"']
    if method not in {"get", "post"} or (method == "post" and not media):
        parts.append(f"-X {method.upper()}")
    example = example_of(body)
    if example is not None:
        parts.append(f"-d {shlex.quote(example if isinstance(example, str) else json.dumps(example))}")
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(parameter.get("example", parameter["name"].upper())))
    return " ".join([*parts, f"{settings.BASE_URL}{path}"])


def example_of(body: Json) -> Any:
    """The example of a body or answer: its own, or the first of several."""
    if "example" in body:
        return body["example"]
    several = body.get("examples", {})
    return next((item["value"] for item in several.values() if "value" in item), None) if isinstance(several, dict) else None


def _answer(operation: Json) -> str:
    for status, answer in operation["responses"].items():
        example = example_of(_first(answer.get("content", {}))[1])
        if str(status).startswith("2"):
            return f"{status}  {json.dumps(example, ensure_ascii=False)}" if example is not None else str(status)
    return ""


def _parameters(operation: Json) -> Iterator[Field]:
    for item in operation["parameters"]:
        if item is not _KEY_PARAMETER:
            yield Field(item["name"], item["in"], _type(item["schema"]), item.get("required", False), _words(item.get("description", "")))


def _members(schema: Mapping[str, Any], body: Json) -> Iterator[Field]:
    body = _resolved(schema, body)
    for name, member in body.get("properties", {}).items():
        yield Field(name, "body", _type(member), name in body.get("required", ()), _words(member.get("description", "")))


def _resolved(schema: Mapping[str, Any], part: Json) -> Json:
    reference = part.get("$ref", "")
    return schema["components"]["schemas"][reference.rsplit("/", 1)[-1]] if reference else part


def _type(part: Json) -> str:
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(option) for option in part["anyOf"]))
    if "enum" in part:
        return " | ".join(str(value) for value in part["enum"])
    if part.get("type") == "array":
        return f"list of {_type(part.get('items', {}))}"
    if "$ref" in part:
        return str(part["$ref"]).rsplit("/", 1)[-1]
    return str(part.get("format") or part.get("type") or "anything")
