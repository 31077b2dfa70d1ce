"""Boards as files: `curl -H "Authorization: Bearer $T" localhost:8000/api/v1/dashboards/ops > ops.yaml`, and back with `-T ops.yaml`."""

from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.params.functions import Path

from core.bodies import Json, decoded
from core.errors import Code, Problem, quoted
from core.tokens import Caller, caller_of
from dashboard import policy
from dashboard.documents import applying, lines, shape
from dashboard.documents.lines import BadDocument, Document
from dashboard.documents.shape import BoardText
from dashboard.models import Dashboard, Role, check_slug

router = Router(tags=["Dashboards"])

YAML = "application/yaml"
# curl -T says nothing, curl -d calls whatever it sends a form.
_YAML_TYPES = ("", YAML, "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", "application/x-www-form-urlencoded")
EXAMPLE = """title: Ops
access: members
widgets:
- slug: queue
  kind: stat
  title: Queue
  interval: 10
  config: {unit: jobs, better: down}
  alerts:
  - {name: Queue too long, condition: above, high: 100, pending: 60}
"""
_JSON_EXAMPLE = {"title": "Ops", "widgets": [{"slug": "queue", "kind": "stat", "title": "Queue"}]}
_SHOWN = {
    YAML: {"schema": {"type": "string"}, "example": EXAMPLE},
    "application/json": {"schema": {"type": "object"}, "example": _JSON_EXAMPLE},
}
SLUG: Any = Path(description="The dashboard's slug.", example="ops")


@router.get(
    "dashboards/{slug}",
    summary="Read a dashboard as YAML or JSON",
    openapi_extra={"responses": {200: {"description": "The dashboard", "content": _SHOWN}}},
)
def get_dashboard(request: HttpRequest, slug: str = SLUG) -> HttpResponse:
    """Its settings and its widgets in order, each with its source and its alerts; YAML, or JSON where `Accept` asks for it.

    No values, no roles, no share links. Needs the scope `dashboards` and the role edit.
    """
    caller = _caller(request)
    board = _board(caller, slug)
    if board is None:
        raise _missing(slug)
    return _answer(request, shape.of_board(board))


@router.put(
    "dashboards/{slug}",
    summary="Make a dashboard be as a file says",
    openapi_extra={
        "requestBody": {"required": True, "content": _SHOWN},
        "responses": {200: {"description": "As it is now", "content": _SHOWN}, 201: {"description": "It was made", "content": _SHOWN}},
    },
)
def put_dashboard(request: HttpRequest, slug: str = SLUG) -> HttpResponse:
    """All of it or nothing: a widget that the file does not name is removed **with its history**; widgets are known by their slugs.

    With the `revision` of an answer before, a board that somebody saved meanwhile is not overwritten (409). What does not fit is
    answered with its line. Needs the scope `dashboards` and the role edit; who may look is said by who has the role manage.
    """
    caller = _caller(request)
    board = _board(caller, slug)
    document = _document(request)
    wanted = applying.checked(document)
    made = board is None
    if board is None:
        board = _new(caller, slug)
    elif wanted.access != board.access and policy.level_of(caller.user, board) < Role.Level.MANAGE:
        raise Problem(Code.FORBIDDEN, "Who may look is said by whoever has the role manage.", field="access", allowed=[board.access])
    _check_critical(caller, board, wanted)
    return _answer(request, shape.of_board(applying.apply(board, wanted, document)), status=201 if made else 200)


def _board(caller: Caller, slug: str) -> Dashboard | None:
    """The board, which this caller may change; None: there is none. Raises Problem."""
    caller.require("dashboards")
    board = Dashboard.objects.filter(slug=slug).first()
    if board is None:
        return None
    level = policy.level_of(caller.user, board)
    if not level:
        raise _missing(slug)
    if level < Role.Level.EDIT:
        raise Problem(Code.FORBIDDEN, "You may see this dashboard, but not its file: that takes the role edit.")
    return board


def _missing(slug: str) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no dashboard {quoted(slug)}, or it is not for you.")


def _new(caller: Caller, slug: str) -> Dashboard:
    try:
        check_slug(slug)
    except ValidationError as wrong:
        raise Problem(Code.INVALID, " ".join(wrong.messages), field="slug") from None
    owner: Any = caller.user
    return Dashboard(slug=slug, owner=owner)


def _document(request: HttpRequest) -> Document:
    kind = (request.content_type or "").lower()
    if kind == "application/json" or kind.endswith("+json"):
        return Document(Json().parse_body(request))
    if kind not in _YAML_TYPES:
        raise Problem(Code.CONTENT_TYPE, f"{quoted(kind)} is not taken here; send {YAML}.", field="Content-Type", allowed=[YAML])
    try:
        return lines.read(decoded(request.body))
    except BadDocument as bad:
        raise Problem(Code.INVALID, str(bad), field="body") from None


def _check_critical(caller: Caller, board: Dashboard, wanted: BoardText) -> None:
    """A critical alert passes quiet hours: to make one takes what it takes to send a critical notification."""
    if _critical(wanted) - (_critical(shape.of_board(board)) if board.pk else set()):
        caller.require("critical")
        user: Any = caller.user
        if not user.has_perm("signalbox_notifications.send_critical"):
            detail = "A critical alert takes the permission to send critical notifications."
            raise Problem(Code.FORBIDDEN, detail, field="severity", allowed=["high"])


def _critical(board: BoardText) -> set[tuple[str, str]]:
    return {(one.slug, alert.name) for one in board.widgets for alert in one.alerts if alert.severity == "critical"}


def _answer(request: HttpRequest, board: BoardText, *, status: int = 200) -> HttpResponse:
    accepted = request.headers.get("Accept", "")
    if "json" in accepted and "yaml" not in accepted:
        return HttpResponse(msgspec.json.encode(board), content_type="application/json", status=status)
    return HttpResponse(shape.written(board), content_type=f"{YAML}; charset=utf-8", status=status)


def _caller(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    assert caller is not None  # the guard has answered 401 otherwise
    return caller
