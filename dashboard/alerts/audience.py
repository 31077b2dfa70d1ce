"""Who is told of an alert: people who may see its board, and nobody else, asked anew each time."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Q

from core.delivery.channel import Reader
from core.errors import Code, Problem, quoted
from dashboard import policy
from dashboard.models import AlertRule, Dashboard, Role

USUAL = ("editors",)
WORDS = {"owner": "the owner", "editors": "the owner and whoever may edit", "roles": "everybody with a role"}
SHAPE = f"Write {', '.join(WORDS)}, user:<name> or group:<name>, with commas between."
MOST = 50


def checked(words: Iterable[str]) -> list[str]:
    """These words, each once. Raises Problem: one that names nobody."""
    found = list(dict.fromkeys(word.strip() for word in words if word.strip()))
    if len(found) > MOST:
        raise Problem(Code.INVALID, f"At most {MOST} are named; a group would do.", field="audience")
    for word in found:
        if word not in WORDS and not _exists(word):
            raise Problem(Code.INVALID, f"{quoted(word)} names nobody. {SHAPE}", field="audience", allowed=[*WORDS])
    return found


def people_of(rule: AlertRule) -> tuple[str, ...]:
    """The primary keys of the active people whom this rule tells, all of whom may see its board now."""
    board = rule.widget.dashboard
    meant = Q(pk__in=[])
    for word in rule.audience or USUAL:
        meant |= _meant(word, board)
    keys = get_user_model()._default_manager.filter(meant, is_active=True).order_by("pk").values_list("pk", flat=True).distinct()
    readers = [Reader(user=str(pk)) for pk in keys]
    allowed = {reader for reader, _ in policy.readable(readers, [str(board.pk)])}
    return tuple(reader.user for reader in readers if reader in allowed)


def _meant(word: str, board: Dashboard) -> Q:
    kind, _, name = word.partition(":")
    if kind == "user":
        return Q(**{get_user_model().USERNAME_FIELD: name})
    if kind == "group":
        return Q(pk__in=Group.objects.filter(name=name).values("user"))
    if word == "owner":
        return Q(pk=board.owner_id)
    roles = Role.objects.filter(dashboard=board, level__gte=Role.Level.VIEW if word == "roles" else Role.Level.EDIT)
    owner_or_own = Q(pk=board.owner_id) | Q(pk__in=roles.exclude(user=None).values("user"))
    return owner_or_own | Q(pk__in=roles.exclude(group=None).values("group__user"))


def _exists(word: str) -> bool:
    kind, _, name = word.partition(":")
    users: Any = get_user_model()
    if kind == "user":
        return bool(users._default_manager.filter(**{users.USERNAME_FIELD: name}, is_active=True).exists())
    return kind == "group" and Group.objects.filter(name=name).exists()
