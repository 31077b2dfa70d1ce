"""Narrowing an audience by facts about people: `last_login before 2026-01-01`. Only fields that BROADCAST_USER_FIELDS allows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q

from notifications.errors import BadNotification

MOST = 5
VALUE = 200  # characters
# Refused even where the setting names them: an audience's size would tell them, guess by guess.
_SECRET = re.compile(r"pass(word|phrase)|secret|token|session|api_?key|hash|salt|otp", re.IGNORECASE)

HOWS = {
    "is": "is",
    "is_not": "is not",
    "starts": "starts with",
    "ends": "ends with",
    "before": "is before or below",
    "after": "is after or above",
    "empty": "is empty or never",
}
_LOOKUPS = {"is": "", "is_not": "", "starts": "__startswith", "ends": "__endswith", "before": "__lt", "after": "__gt", "empty": "__isnull"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact that must hold of everybody meant. `value` is text as it was written, checked."""

    field: str
    how: str
    value: str = ""

    def q(self) -> Q:
        """As a filter of users. Raises BadNotification where the setting does not allow the field any more."""
        kind = _kind(self.field)
        if self.how == "empty":
            return Q(**{f"{self.field}__isnull": True}) | (Q(**{self.field: ""}) if kind.is_text else Q())
        wanted = kind.read(self.value)
        if kind.is_moment and self.how in ("is", "is_not"):
            met = Q(**{f"{self.field}__gte": wanted, f"{self.field}__lt": wanted + timedelta(days=1)})
        else:
            met = Q(**{f"{self.field}{_LOOKUPS[self.how]}": wanted})
        return ~met if self.how == "is_not" else met

    @property
    def shown(self) -> str:
        """As people read it: `where is_staff is yes`."""
        return f"where {self.field} {HOWS[self.how]} {self.value}".strip()

    def stored(self) -> list[str]:
        return [self.field, self.how, self.value]


def checked(field: str, how: str, value: str) -> Condition:
    """A condition that can be asked. Raises BadNotification, naming what would be right."""
    kind = _kind(field)
    if how not in kind.hows:
        raise BadNotification(f"{field} can be asked: {', '.join(HOWS[one] for one in kind.hows)}.", field="where", allowed=kind.hows)
    value = value.strip() if how != "empty" else ""
    if how != "empty":
        if not value or len(value) > VALUE or not value.isprintable():
            raise BadNotification(f"Say what {field} {HOWS[how]}: {kind.shape}.", field="where")
        kind.read(value)
    return Condition(field, how, value)


def fields() -> list[str]:
    """The fields that may be asked for: those that the setting names and that a user has."""
    return [name for name in settings.BROADCAST_USER_FIELDS if _field(name) is not None]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a field of some type is asked for."""

    hows: tuple[str, ...]
    shape: str
    read: Callable[[str], Any]
    is_text: bool = False
    is_moment: bool = False


def _kind(name: str) -> _Kind:
    field = _field(name) if name in settings.BROADCAST_USER_FIELDS else None
    if field is None:
        raise BadNotification(
            f"People may be picked by {', '.join(fields()) or 'no field'} (BROADCAST_USER_FIELDS), not by this.",
            field="where",
            allowed=fields(),
        )
    return next(kind for type, kind in _KINDS.items() if isinstance(field, type))


def _field(name: str) -> Any:
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, tuple(_KINDS)) and not _SECRET.search(name) else None


def _yes(value: str) -> bool:
    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if value.lower() not in known:
        raise BadNotification("It is yes or no.", field="where", allowed=["yes", "no"])
    return known[value.lower()]


def _number(value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,15}", value, re.ASCII):
        raise BadNotification("It is a whole number.", field="where")
    return int(value)


def _moment(value: str) -> datetime:
    try:
        if not value.isascii():
            raise ValueError
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadNotification("It is a day, like 2026-11-21.", field="where") from None


_KINDS: Mapping[Any, _Kind] = {
    models.BooleanField: _Kind(("is",), "yes or no", _yes),
    models.DateTimeField: _Kind(("before", "after", "is", "empty"), "a day, like 2026-11-21", _moment, is_moment=True),
    models.IntegerField: _Kind(("is", "is_not", "before", "after", "empty"), "a whole number", _number),
    models.CharField: _Kind(("is", "is_not", "starts", "ends", "empty"), "text", str, is_text=True),
}
