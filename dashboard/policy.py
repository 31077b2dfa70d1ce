"""Who may see a board and who may change it. Functions return the object or refuse; a stranger cannot tell refusal from absence."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone

from core.delivery.channel import Reader
from core.errors import Code, Problem
from dashboard import store
from dashboard.models import Access, Dashboard, Role, ShareLink, Widget
from dashboard.store import Target


@dataclass(frozen=True, slots=True)
class _Person:
    """What the rules need to know of one user; None as primary key: a guest."""

    pk: str = ""
    active: bool = False
    staff: bool = False


@dataclass(frozen=True, slots=True)
class _Board:
    access: str
    owner: str


def _level(person: _Person, board: _Board, role: int) -> int:
    """What this person may do on this board, as a Role.Level; 0: nothing. The one place that decides."""
    if not person.active:
        return Role.Level.VIEW if board.access == Access.PUBLIC else 0
    if person.staff or board.owner == person.pk:
        return Role.Level.MANAGE
    return max(role, 0 if board.access == Access.ROLES else Role.Level.VIEW)


def at_address(name: str) -> Q:
    """Which board or widget an address means: by its primary key, which open pages ask by and no renaming changes, or by its slug."""
    return Q(pk=int(name)) if name.isascii() and name.isdigit() and len(name) < 19 else Q(slug=name)


# --- one person ---


def level_of(user: Any, dashboard: Dashboard) -> int:
    """What this user may do on this board, as a Role.Level; 0: nothing."""
    person = _person(user)
    board = _Board(dashboard.access, str(dashboard.owner_id))
    if not person.active or _level(person, board, 0) == Role.Level.MANAGE:
        return _level(person, board, 0)
    return _level(person, board, max(_roles_of(user, [dashboard.pk]).values(), default=0))


def visible_dashboards(user: Any) -> QuerySet[Dashboard]:
    """The boards that this user, or a guest, may see."""
    person = _person(user)
    if not person.active:
        return Dashboard.objects.filter(access=Access.PUBLIC)
    if person.staff:
        return Dashboard.objects.all()
    roles = Role.objects.filter(Q(user=user) | Q(group__user=user)).values("dashboard")
    return Dashboard.objects.filter(Q(access__in=[Access.PUBLIC, Access.MEMBERS]) | Q(owner=user) | Q(pk__in=roles))


def dashboard_for_reader(user: Any, slug: str) -> Dashboard:
    """The board of this slug or primary key, if this user may see it. Raises Http404 otherwise."""
    dashboard = Dashboard.objects.filter(at_address(slug)).first()
    if dashboard is None or not level_of(user, dashboard):
        raise Http404
    return dashboard


def widget_for_reader(user: Any, dashboard: str, slug: str) -> Widget:
    """The widget, if this user may see its board; both by slug or primary key. Raises Http404 otherwise."""
    widget = dashboard_for_reader(user, dashboard).widgets.filter(at_address(slug)).select_related("dashboard").first()
    if widget is None:
        raise Http404
    return widget


def dashboard_for_editor(user: Any, slug: str, *, level: int = Role.Level.EDIT) -> Dashboard:
    """The board, if this user may change it (or has the level asked for). Raises Http404 otherwise."""
    dashboard = Dashboard.objects.filter(slug=slug).first()
    if dashboard is None or level_of(user, dashboard) < level:
        raise Http404
    return dashboard


def widget_for_writer(user: Any, name: str) -> Target:
    """The widget "dashboard/widget", if this user may push values to it. Raises as widgets_for_writer."""
    return widgets_for_writer(user, [name])[name]


def widgets_for_writer(user: Any, names: Collection[str]) -> dict[str, Target]:
    """These widgets by name, as they stand in the caller's transaction, if this user may push values to all of them; two queries.

    Raises Problem: 404 for what is not there or not visible to her (naming near ones that are), 403 for what she may only see.
    """
    person = _person(user)
    found = _named(names)
    boards = {target.dashboard: board for target, board in found.values()}
    asked = [pk for pk, board in boards.items() if _level(person, board, 0) < Role.Level.MANAGE] if person.active else []
    roles = _roles_of(user, asked) if asked else {}
    for name in names:
        level = _level(person, found[name][1], roles.get(found[name][0].dashboard, 0)) if name in found else 0
        if not level:
            raise store.unknown(name, _names(visible_dashboards(user)))
        if level < Role.Level.EDIT:
            raise Problem(Code.FORBIDDEN, f"You may see {name}, but not push values to it: that takes the role edit.", field="widget")
    return {name: found[name][0] for name in names}


def _named(names: Collection[str]) -> dict[str, tuple[Target, _Board]]:
    return {name: (target, _Board(access, str(owner))) for name, (target, access, owner) in store.targets_of_boards(names).items()}


def _names(visible: QuerySet[Dashboard]) -> list[str]:
    rows = Widget.objects.filter(dashboard__in=visible).order_by("pk").values_list("dashboard__slug", "slug")
    return [f"{board}/{widget}" for board, widget in rows[:2000]]


def _person(user: Any) -> _Person:
    if user is None or not user.is_authenticated:
        return _Person()
    return _Person(str(user.pk), user.is_active, user.is_staff or user.is_superuser)


def _roles_of(user: Any, boards: Collection[int]) -> dict[int, int]:
    """The highest level that this user has on each of these boards, by her own roles and her groups'."""
    if user is None or not user.is_authenticated:
        return {}
    levels: dict[int, int] = defaultdict(int)
    rows = Role.objects.filter(Q(user=user) | Q(group__user=user), dashboard__in=boards).values_list("dashboard", "level")
    for board, level in rows:
        levels[board] = max(levels[board], level)
    return levels


# --- many readers at once, for the channels ---


def readable(readers: Collection[Reader], keys: Collection[str]) -> set[tuple[Reader, str]]:
    """Which of these readers may see which of these boards (primary keys as text), in four queries, and one more for share links."""
    boards = _boards(keys)
    shared = _shared({reader.share for reader in readers if reader.share})
    people = _people({reader.user for reader in readers if reader.user})
    roles = _roles({person.pk for person in people.values() if person.active and not person.staff}, boards)
    guest = _Person()
    return {
        (reader, key)
        for reader in readers
        for key, board in boards.items()
        if _level(people.get(reader.user, guest), board, roles.get((reader.user, key), 0)) or shared.get(reader.share) == key
    }


# --- share links ---


def link_for_guest(token: str) -> ShareLink:
    """The share link of this token, if it is open now. Raises Http404."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    link = _open_links().filter(digest=digest).select_related("dashboard").first()
    if link is None:
        raise Http404
    return link


def _open_links() -> QuerySet[ShareLink]:
    return ShareLink.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


def _shared(shares: Collection[str]) -> dict[str, str]:
    """The boards that these shares (`dashboard:<link>`) open now."""
    links = {share.partition(":")[2]: share for share in shares if share.startswith("dashboard:") and share.partition(":")[2].isdigit()}
    rows = _open_links().filter(pk__in=links).values_list("pk", "dashboard") if links else ()
    return {links[str(pk)]: str(board) for pk, board in rows}


def _boards(keys: Iterable[str]) -> dict[str, _Board]:
    pks = [key for key in keys if key.isascii() and key.isdigit() and len(key) < 19 and key == str(int(key))]
    rows = Dashboard.objects.filter(pk__in=pks).values_list("pk", "access", "owner")
    return {str(pk): _Board(access, str(owner)) for pk, access, owner in rows}


def _people(pks: Collection[str]) -> dict[str, _Person]:
    rows = get_user_model()._default_manager.filter(pk__in=pks).values_list("pk", "is_active", "is_staff", "is_superuser")
    return {str(pk): _Person(str(pk), active, staff or root) for pk, active, staff, root in rows}


def _roles(people: Any, boards: Any) -> dict[tuple[str, str], int]:
    levels: dict[tuple[str, str], int] = defaultdict(int)
    if not people or not boards:
        return levels
    own = Role.objects.filter(user__in=people, dashboard__in=boards).values_list("user", "dashboard", "level")
    groups = Role.objects.filter(group__user__in=people, dashboard__in=boards).values_list("group__user", "dashboard", "level")
    for user, board, level in [*own, *groups]:
        levels[str(user), str(board)] = max(levels[str(user), str(board)], level)
    return levels
