"""Whom something is for: words people write (`user:alice group:ops perm:app.codename all staff watching:room:lobby`), models, lists.

A bare word is a user's name, else a group's. Only active people are meant, each once.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model, Q, QuerySet

from core.delivery import presence
from core.delivery.channel import BadChannel, ChannelName, registry
from notifications.conditions import Condition
from notifications.errors import AmbiguousAudience, BadNotification, UnknownAudience

MAX_WORDS = 1000
_WHOLE = ("all", "staff")
_PREFIXES = ("user", "group", "perm", "watching")
SHAPES = ("user:<name>", "group:<name>", "perm:<app>.<codename>", "watching:<channel>", *_WHOLE)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant, by primary keys (as text), so that renaming moves nobody. `chosen` are people picked by a query.

    `watching` are channels by their keys: whoever has them open when `people` is asked.
    """

    everybody: bool = False
    staff: bool = False
    users: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    permissions: tuple[int, ...] = ()
    watching: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()  # as people write them
    chosen: QuerySet[Any] | None = field(default=None, compare=False)
    conditions: tuple[Condition, ...] = ()  # all of them hold of everybody meant
    without: "Audience | None" = None  # who is in this one is not meant

    def people(self) -> QuerySet[Any]:
        """The active people meant, each once."""
        active = get_user_model()._default_manager.filter(is_active=True)
        meant = active if self.everybody else active.filter(self._condition())
        for condition in self.conditions:
            meant = meant.filter(condition.q())
        if self.without is not None:
            meant = meant.none() if self.without.everybody else meant.exclude(self.without._condition())
        return meant

    def _condition(self) -> Q:
        meant = Q(pk__in=list(self.users))
        if self.staff:
            meant |= Q(is_staff=True)
        if self.groups:
            meant |= Q(pk__in=members(self.groups))
        for permission in self.permissions:
            meant |= holding(permission)
        if self.watching:
            names = sorted(presence.watchers(self.watching))
            meant |= Q(**{f"{get_user_model().USERNAME_FIELD}__in": names})
        if self.chosen is not None:
            meant |= Q(pk__in=self.chosen.values("pk"))
        return meant

    def stored(self) -> dict[str, Any]:
        """As JSON, for `from_stored`. An audience picked by a query cannot be stored."""
        assert self.chosen is None
        return {
            "everybody": self.everybody,
            "staff": self.staff,
            "users": list(self.users),
            "groups": list(self.groups),
            "permissions": list(self.permissions),
            "watching": list(self.watching),
            "shown": list(self.shown),
            "conditions": [condition.stored() for condition in self.conditions],
            "without": None if self.without is None else self.without.stored(),
        }

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> "Audience":
        return cls(
            everybody=stored["everybody"],
            staff=stored["staff"],
            users=tuple(stored["users"]),
            groups=tuple(stored["groups"]),
            permissions=tuple(stored["permissions"]),
            watching=tuple(stored.get("watching", ())),
            shown=tuple(stored["shown"]),
            conditions=tuple(Condition(*one) for one in stored.get("conditions", ())),
            without=cls.from_stored(stored["without"]) if stored.get("without") else None,
        )

    def channel(self) -> str:
        """The `audience:` channel that all of them listen to on every page; it may reach others too."""
        return "audience:staff" if self.staff and not (self.everybody or self._parts()) else "audience:all"

    def channels(self) -> tuple[str, ...]:
        """The channels whose watchers tell who is meant, and who is not."""
        return self.watching if self.without is None else (*self.watching, *self.without.channels())

    def _parts(self) -> tuple[Any, ...]:
        return (*self.users, *self.groups, *self.permissions, *self.watching)


def resolve(audience: object) -> Audience:
    """Read an audience. Takes a constant number of queries. Raises UnknownAudience, AmbiguousAudience, BadNotification."""
    if isinstance(audience, Audience):
        return audience
    words: list[str] = []
    models: list[Model] = []
    queries: list[QuerySet[Any]] = []
    _sort(audience, words, models, queries)
    if not (words or models or queries):
        raise BadNotification(f"An audience names somebody: {', '.join(SHAPES)}.", field="audience", allowed=SHAPES)
    if len(words) > MAX_WORDS:
        raise BadNotification(f"An audience is at most {MAX_WORDS} words; a group would do.", field="audience")
    return merged(_of_words(words), _of_models(models), _of_queries(queries))


def narrowed(meant: Audience, *, conditions: Iterable[Condition] = (), without: Audience | None = None) -> Audience:
    """Those of an audience of whom all conditions hold, and who are not in another one."""
    conditions = tuple(conditions)
    shown = [*meant.shown, *(condition.shown for condition in conditions), *(f"not {word}" for word in (without.shown if without else ()))]
    return replace(meant, conditions=conditions, without=without, shown=tuple(shown))


def split(text: str) -> list[str]:
    """The words of an audience written as text: commas part them, for names may hold blanks."""
    return [word.strip() for word in text.split(",") if word.strip()]


def members(groups: Iterable[int]) -> QuerySet[Any]:
    """The keys of the people in these groups, as a subquery."""
    through: Any = getattr(get_user_model(), "groups").through  # noqa: B009 - a custom user model need not have groups
    name = next(field.name for field in through._meta.fields if getattr(field, "related_model", None) is get_user_model())
    people: QuerySet[Any] = through._default_manager.filter(group_id__in=list(groups)).values(name)
    return people


def holding(permission: int) -> Q:
    """The people who have a permission: by themselves, by a group, or as superuser."""
    granting = Group.objects.filter(permissions=permission).values("pk")
    return (
        Q(is_superuser=True)
        | Q(pk__in=get_user_model()._default_manager.filter(user_permissions=permission).values("pk"))
        | Q(pk__in=get_user_model()._default_manager.filter(groups__in=granting).values("pk"))
    )


def permission_named(name: str) -> int | None:
    """The key of the permission `app.codename`."""
    app, _, codename = name.partition(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename)
    return found.values_list("pk", flat=True).first()


# --- sorting what was given ---


def _sort(audience: object, words: list[str], models: list[Model], queries: list[QuerySet[Any]]) -> None:
    if isinstance(audience, str):
        words.append(audience.strip())
    elif isinstance(audience, (get_user_model(), Group)):
        models.append(audience)
    elif isinstance(audience, QuerySet):
        queries.append(audience)
    elif isinstance(audience, Iterable) and not isinstance(audience, (bytes, dict)):
        for part in audience:
            _sort(part, words, models, queries)
    else:
        raise BadNotification(
            f"An audience is words, users, groups, querysets of them, or lists of these; not {type(audience).__name__}.", field="audience"
        )


def merged(*parts: Audience) -> Audience:
    """Everybody who is in any of them."""
    return Audience(
        everybody=any(part.everybody for part in parts),
        staff=any(part.staff for part in parts),
        users=tuple(dict.fromkeys(key for part in parts for key in part.users)),
        groups=tuple(dict.fromkeys(key for part in parts for key in part.groups)),
        permissions=tuple(dict.fromkeys(key for part in parts for key in part.permissions)),
        watching=tuple(dict.fromkeys(channel for part in parts for channel in part.watching)),
        shown=tuple(dict.fromkeys(word for part in parts for word in part.shown)),
        chosen=next((part.chosen for part in parts if part.chosen is not None), None),
    )


def _of_models(models: Sequence[Model]) -> Audience:
    groups = [model for model in models if isinstance(model, Group)]
    users: list[Any] = [model for model in models if not isinstance(model, Group)]
    shown = [f"user:{user.get_username()}" for user in users] + [f"group:{group.name}" for group in groups]
    return Audience(users=tuple(str(user.pk) for user in users), groups=tuple(group.pk for group in groups), shown=tuple(shown))


def _of_queries(queries: Sequence[QuerySet[Any]]) -> Audience:
    groups: list[int] = []
    chosen: QuerySet[Any] | None = None
    for query in queries:
        if query.model is Group:
            groups += query.values_list("pk", flat=True)
        elif issubclass(query.model, get_user_model()):
            chosen = (
                query
                if chosen is None
                else get_user_model()._default_manager.filter(Q(pk__in=chosen.values("pk")) | Q(pk__in=query.values("pk")))
            )
        else:
            raise BadNotification(f"A queryset of {query.model._meta.verbose_name_plural} names nobody.", field="audience")
    return Audience(groups=tuple(groups), chosen=chosen)


# --- words ---


def _of_words(words: Sequence[str]) -> Audience:
    wanted = [_parted(word) for word in dict.fromkeys(words) if word not in _WHOLE]
    users = _users_named({name for prefix, name in wanted if prefix in ("user", "")})
    groups = _groups_named({name for prefix, name in wanted if prefix in ("group", "")})
    found = Audience(everybody="all" in words, staff="staff" in words, shown=tuple(word for word in dict.fromkeys(words) if word in _WHOLE))
    return merged(found, *(_of_word(prefix, name, users, groups) for prefix, name in wanted))


def _parted(word: str) -> tuple[str, str]:
    """A word's prefix and name; a bare word has no prefix."""
    prefix, colon, name = word.partition(":")
    if not colon:
        return "", word
    if prefix not in _PREFIXES:
        raise UnknownAudience(f"There is no audience {_quoted(word)}; write {', '.join(SHAPES)}.", field="audience", allowed=SHAPES)
    return prefix, name.strip()


def _of_word(prefix: str, name: str, users: dict[str, str], groups: dict[str, int]) -> Audience:
    if prefix == "perm":
        return _of_permission(name)
    if prefix == "watching":
        return _of_channel(name)
    if not prefix and name in users and name in groups:
        spellings = [f"user:{name}", f"group:{name}"]
        raise AmbiguousAudience(
            f"{_quoted(name)} is a user and a group: write {' or '.join(spellings)}.", field="audience", allowed=spellings
        )
    if name in users:
        return Audience(users=(users[name],), shown=(f"user:{name}",))
    if name in groups:
        return Audience(groups=(groups[name],), shown=(f"group:{name}",))
    near = near_names(prefix, name)
    what = {"user": "active user", "group": "group", "": "active user or group"}[prefix]
    hint = f" Near it: {', '.join(near)}." if near else f" Write {', '.join(SHAPES)}."
    raise UnknownAudience(f"There is no {what} {_quoted(name)}.{hint}", field="audience", allowed=near or SHAPES)


def _of_permission(name: str) -> Audience:
    key = permission_named(name)
    if key is None:
        codename = name.rpartition(".")[2]
        known = Permission.objects.filter(codename__icontains=codename[:40]).values_list("content_type__app_label", "codename")[:50]
        near = [f"perm:{word}" for word in difflib.get_close_matches(name, [f"{app}.{code}" for app, code in known], n=5, cutoff=0.3)]
        raise UnknownAudience(
            f"There is no permission {_quoted(name)}; it is written perm:<app>.<codename>.", field="audience", allowed=near or SHAPES
        )
    return Audience(permissions=(key,), shown=(f"perm:{name}",))


def _of_channel(name: str) -> Audience:
    """Whoever looks at a channel, written as people write it (`dashboard:ops`)."""
    try:
        parsed = ChannelName.parse(name)
        kind = registry.of(parsed)
    except BadChannel as error:
        raise UnknownAudience(f"watching: names a channel. {error}", field="audience") from None
    if parsed.internal or not kind.has_presence:
        raise UnknownAudience(f"Nobody notes who looks at {parsed.kind} channels.", field="audience", allowed=_watchable())
    key = kind.resolve(parsed.key)
    if key is None:
        raise no_channel()
    return Audience(watching=(f"{parsed.kind}:{key}",), shown=(f"watching:{name}",))


def no_channel() -> UnknownAudience:
    """What is said of a channel that is not there, and of one that the sender may not read: she cannot tell which."""
    return UnknownAudience(
        "watching: names a channel that is there and that you may read; here is one that is not.", field="audience", allowed=SHAPES
    )


def _watchable() -> list[str]:
    return [f"watching:{kind.name}:<name>" for kind in registry.kinds.values() if kind.has_presence]


def _users_named(names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    model = get_user_model()
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": sorted(filter(_could_be_stored, names))}, is_active=True)
    return {name: str(key) for name, key in found.values_list(model.USERNAME_FIELD, "pk")}


def _groups_named(names: set[str]) -> dict[str, int]:
    if not names:
        return {}
    return dict(Group.objects.filter(name__in=sorted(filter(_could_be_stored, names))).values_list("name", "pk"))


def _could_be_stored(name: str) -> bool:
    # Postgres refuses a NUL even in a comparison, and a lone surrogate cannot be sent to it.
    return len(name) <= 254 and "\0" not in name and name.isprintable()


def near_names(prefix: str, name: str) -> list[str]:
    """What the writer of an unknown name may have meant, spelled out."""
    if not _could_be_stored(name) or not name:
        return []
    model = get_user_model()
    candidates: list[str] = []
    if prefix in ("user", ""):
        near = model._default_manager.filter(
            Q(**{f"{model.USERNAME_FIELD}__istartswith": name[:2]}) | Q(**{f"{model.USERNAME_FIELD}__icontains": name}), is_active=True
        )
        candidates += [f"user:{known}" for known in near.values_list(model.USERNAME_FIELD, flat=True)[:200]]
    if prefix in ("group", ""):
        candidates += [f"group:{known}" for known in Group.objects.order_by("name").values_list("name", flat=True)[:500]]
    if not prefix:
        candidates += list(_WHOLE)
    closeness = {
        candidate: difflib.SequenceMatcher(None, name.lower(), candidate.partition(":")[2].lower() or candidate).ratio()
        for candidate in candidates
    }
    return sorted((candidate for candidate in candidates if closeness[candidate] >= 0.5), key=lambda candidate: -closeness[candidate])[:5]


def _quoted(text: str) -> str:
    shown = text if len(text) <= 60 else text[:60] + "…"
    return repr(shown) if shown.isprintable() else ascii(shown)
