"""What is stored about a person: handed to her, or taken away for good. Each app registers its part: docs/personal-data.md.

persons.export(user)      # everything, as JSON can say it
persons.erase(user)       # the account is gone; what others still need stays as a removed person's
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.db.models.functions import Now
from django.utils import timezone

from core.models import Presence

logger = logging.getLogger(__name__)

NAME = "Removed person"
WORDS = {"all", "staff", "owner", "editors", "roles"}  # that mean others even where somebody has them for a name
AWAY_WITHIN = 5.0  # seconds for her open pages to be closed everywhere: 2.5 s where Redis is away
PORTION = 2000


@dataclass(frozen=True, slots=True)
class Removed:
    """Who stands where an erased person stood: the same for all that was hers, and for nobody else."""

    key: str
    name: str = NAME


@dataclass(frozen=True, slots=True)
class Part:
    """What one app keeps about people.

    export: the person -> kinds of things with their rows, each of which JSON can say.
    erase: runs in the transaction that ends with her row's deletion, so what refers to her by a foreign key goes with it (CASCADE) or
    loses her (SET_NULL); whatever else names her is this function's.
    covers: the fields that both know, as "app_label.Model.field": a test finds those that no part covers.
    """

    name: str
    export: Callable[[Any], Mapping[str, "Kept"]]
    erase: Callable[[Any, Removed], None]
    covers: tuple[str, ...]


class NotErasable(RuntimeError):
    """Something else holds on to this account; the text says what. It has been deactivated and signed out, and nothing is erased."""


Kept = Sequence[Any] | QuerySet[Any, dict[str, Any]]
_parts: dict[str, Part] = {}


def register(part: Part) -> None:
    """Make a part known; apps call it in `AppConfig.ready`."""
    _parts[part.name] = part


def parts() -> list[Part]:
    return list(_parts.values())


def rows(found: QuerySet[Any], *fields: str) -> QuerySet[Any, dict[str, Any]]:
    """These fields of these rows, oldest first: what an export is made of, read only when it is."""
    return found.order_by("pk").values(*fields)


def export(user: Any) -> dict[str, Any]:
    """Everything that is stored about her, by the parts that keep it; no secrets, and nothing of others but what they sent her."""
    told: dict[str, Any] = {"made_at": timezone.now(), "account": _account(user)}
    return told | {part.name: {kind: list(kept) for kind, kept in part.export(user).items()} for part in parts()}


def numbers(user: Any) -> dict[str, dict[str, int]]:
    """How many rows of what each part keeps: `{"rooms": {"messages": 12}}`; only what there is."""
    counted = {part.name: {kind: _count(kept) for kind, kept in part.export(user).items()} for part in parts()}
    return {name: {kind: count for kind, count in kinds.items() if count} for name, kinds in counted.items()}


def _count(kept: "Kept") -> int:
    return kept.count() if isinstance(kept, QuerySet) else len(kept)


def _account(user: Any) -> Mapping[str, Any]:
    fields = [field for field in user._meta.concrete_fields if field.name != "password" and not field.is_relation]
    shown = {field.name: field.value_from_object(user) for field in fields}
    return shown | {"groups": list(user.groups.order_by("name").values_list("name", flat=True)) if hasattr(user, "groups") else []}


def erase(user: Any, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> Removed:
    """Take a person out for good: at once she is signed out everywhere and her pages close; then all that is hers goes.

    What others need stays: what she wrote in rooms and sent to people, under the name of a removed person. Blocks for some seconds while
    she has pages open. Raises NotErasable.
    """
    name, pk = user.get_username(), user.pk
    _shut_out(user)
    deadline = clock() + AWAY_WITHIN
    # Her pages say goodbye by her name: only after that can it go everywhere.
    while _is_here(name) and clock() < deadline:
        sleep(0.1)
    removed = Removed(f"removed:{secrets.token_hex(8)}")
    try:
        with transaction.atomic():
            hers = get_user_model()._default_manager.select_for_update().get(pk=pk)
            for part in parts():
                part.erase(hers, removed)
            hers.delete()
    except (ProtectedError, RestrictedError) as error:
        held = {type(row)._meta.label for row in _held_by(error)}
        raise NotErasable(f"Rows of {', '.join(sorted(held))} hold on to this account: settle these first, then erase it again.") from error
    logger.warning("a person was erased", extra={"user": str(pk)})
    return removed


def _held_by(error: ProtectedError | RestrictedError) -> Iterable[Any]:
    return error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects


def _shut_out(user: Any) -> None:
    """Deactivate her and end what she has open: sessions, tokens, sockets."""
    from core.person_parts import end_sessions

    with transaction.atomic():
        user.is_active = False
        user.save(update_fields=["is_active"])  # core.delivery.authority has her sockets checked
        user.api_tokens.all().delete()
        end_sessions(user)


def _is_here(name: str) -> bool:
    return Presence.objects.filter(who=name, process__expires_at__gt=Now()).exists()


def words_without(words: Iterable[str], user: Any) -> list[str]:
    """An audience without this person: words that name her alone are left out."""
    name = user.get_username()
    hers = {name, f"user:{name}", f"user:{user.pk}"} - WORDS
    return [word for word in words if word not in hers]
