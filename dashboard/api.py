"""Pushing values over HTTP: `curl -H "Authorization: Bearer $T" -d 42 localhost:8000/api/v1/widgets/ops/queue`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Status
from ninja.params.functions import Path

from core.bodies import Json, Strict
from core.errors import Code, Problem, quoted
from core.tokens import Caller, caller_of
from dashboard import policy, values, widgets
from dashboard.actions import NewValue, record_many
from dashboard.store import Target

router = Router(tags=["Dashboards"])

MOST = 5000
FIELDS = ("value", "at", "label", "series", "url")
WAYS = 'A body is 42, or {"value": 42, "at": "2026-11-21T07:10:00Z", "label": "", "series": "cpu"} (only `value` must be), or a list.'


class Stored(Strict):
    stored: int = Field(description="How many values were stored.", examples=[1])


def _example(body: Any, stored: int) -> dict[str, Any]:
    answers = {202: {"content": {"application/json": {"example": {"stored": stored}}}}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {}, "example": body}}}, "responses": answers}


@router.post(
    "widgets", response={202: Stored}, summary="Push values to many widgets", openapi_extra=_example({"ops/queue": 42, "ops/users": 7}, 2)
)
def push_values(request: HttpRequest) -> Status[dict[str, int]]:
    """Store values for many widgets at once, all or none: an object of `<dashboard>/<widget>` and what a single push takes.

    Needs the scope `push:<dashboard>/<widget>` for each of them.
    """
    caller, body = _caller(request), Json().parse_body(request)
    if not isinstance(body, dict) or not body:
        detail = 'The body is an object of widgets and values, for example {"ops/queue": 42, "ops/users": 7}.'
        raise Problem(Code.INVALID, detail, field="body")
    return _stored(caller, body)


@router.post(
    "widgets/{dashboard}/{widget}",
    response={202: Stored},
    summary="Push a value to a widget",
    openapi_extra=_example({"value": 42, "at": "2026-11-21T07:10:00Z", "label": "after the deploy"}, 1),
)
def push_value(
    request: HttpRequest,
    dashboard: str = Path(description="The dashboard's slug.", example="ops"),
    widget: str = Path(description="The widget's slug.", example="queue"),
) -> Status[dict[str, int]]:
    """Store one value or a list, at their own times or now; when the answer comes they are stored, and then on every page with the widget.

    The body is a number, an object with `value` and, as you need them, `at`, `label` and `series`, or a list of either.
    Needs the scope `push:<dashboard>/<widget>`.
    """
    name = f"{dashboard}/{widget}"
    caller = _caller(request)
    caller.require(f"push:{name}")
    found = policy.widget_for_writer(caller.user, name)
    try:
        body = Json().parse_body(request)
    except Problem as problem:
        if problem.code is Code.BAD_JSON:
            raise Problem(Code.BAD_JSON, f"{problem.detail} {_shape(found)}", field="body") from None
        raise
    return Status(202, {"stored": record_many(_read(found, body, now=timezone.now()))})


def _stored(caller: Caller, body: dict[str, Any]) -> Status[dict[str, int]]:
    for name in body:
        caller.require(f"push:{name}")
    found = policy.widgets_for_writer(caller.user, body)
    now = timezone.now()
    return Status(202, {"stored": record_many([value for name, sent in body.items() for value in _read(found[name], sent, now=now)])})


def _read(widget: Target, body: object, *, now: datetime) -> Iterator[NewValue]:
    """What one widget was sent. In a list, values without a time follow each other by a microsecond: none replaces another."""
    items = body if isinstance(body, list) else [body]
    if not items or len(items) > MOST:
        raise Problem(Code.INVALID, f"A list holds 1 to {MOST} values; this one has {len(items)}.", field="body")
    for index, item in enumerate(items):
        sent = item if isinstance(item, dict) else {"value": item}
        if unknown := [name for name in sent if name not in FIELDS]:
            raise Problem(Code.INVALID, f"There is no field {quoted(unknown[0])} here. {WAYS}", field=unknown[0][:60], allowed=FIELDS)
        if "value" not in sent and "label" not in sent:
            raise Problem(Code.INVALID, f"`value` is missing. {_shape(widget)} {WAYS}", field="value")
        at = sent.get("at")
        yield NewValue(
            widget,
            sent.get("value"),
            now + timedelta(microseconds=index) if at is None else at,
            _text(sent.get("series", ""), "series"),
            sent.get("label", ""),
            _text(sent.get("url", ""), "url"),
        )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise Problem(Code.INVALID, f"`{field}` is text.", field=field)
    return value


def _shape(widget: Target) -> str:
    kind = widgets.KINDS.get(widget.kind)
    return kind.shape if kind else values.NUMBER_SHAPE


def _caller(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    assert caller is not None  # the guard has answered 401 otherwise
    return caller
