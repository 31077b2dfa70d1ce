"""The forms of boards, widgets, roles and share links. A widget's own settings become fields by their types."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.text import slugify

from core.errors import Problem
from dashboard import sources, widgets
from dashboard.models import Access, Dashboard, Widget, check_slug
from dashboard.widgets.base import WidgetKind

MOST_JSON = 20_000
_EXPIRIES = {"1": "in a day", "7": "in a week", "30": "in 30 days", "": "never"}


class _Titled(forms.Form):
    """Something with a title and an address made from it."""

    title = forms.CharField(label="Title", max_length=120)
    slug = forms.CharField(
        label="Address", required=False, max_length=64, help_text="Made from the title when left empty: a-z, 0-9, - and _."
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "title" in given and "slug" in given:
            given["slug"] = given["slug"].lower() or slugify(given["title"])[:64].strip("-_")
            try:
                check_slug(given["slug"])
            except forms.ValidationError as wrong:
                self.add_error("slug", wrong)
        return given


class BoardForm(_Titled):
    description = forms.CharField(label="What it shows", required=False, max_length=300)
    access = forms.ChoiceField(label="Who may look", choices=Access.choices, initial=Access.ROLES)

    def __init__(self, data: Any, *, board: Dashboard | None = None) -> None:
        shown = {name: getattr(board, name) for name in ("title", "slug", "description", "access")} if board else {}
        super().__init__(data, initial=shown)
        self.board = board

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        taken = Dashboard.objects.filter(slug=given.get("slug", "")).first()
        if taken is not None and taken != self.board:
            self.add_error("slug", "There is a dashboard at this address already.")
        return given

    def onto(self, board: Dashboard) -> Dashboard:
        """The board with what was written, not saved yet."""
        for name in ("title", "slug", "description", "access"):
            setattr(board, name, self.cleaned_data[name])
        return board


class WidgetForm(_Titled):
    """A widget of one kind, with its place, its freshness, its own settings (`own_...`) and where its values come from."""

    columns = forms.IntegerField(label="Width", min_value=1, max_value=12, help_text="Of 12 columns.")
    rows = forms.IntegerField(label="Height", min_value=1, max_value=8, help_text="In rows.")
    order = forms.IntegerField(label="Place", min_value=0, max_value=9999, required=False, help_text="Lowest first.")
    interval = forms.FloatField(
        label="A value every", min_value=0.1, max_value=1e7, required=False, help_text="Seconds; empty: it is never late."
    )
    grace = forms.FloatField(label="Late after another", min_value=0, max_value=1e7, required=False, help_text="Seconds.")

    keep = forms.IntegerField(
        label="Keep every value for", min_value=1, max_value=10_000, required=False, help_text="Hours; after that charts show summaries."
    )

    def __init__(self, data: Any, *, widget: Widget) -> None:
        self.widget, self.kind = widget, widgets.of(widget.kind)
        plain = {name: getattr(widget, name) for name in ("title", "slug", "columns", "rows", "order", "interval", "grace", "keep")}
        own = {f"own_{name}": _written(value) for name, value in widget.config.items()}
        source = getattr(widget, "source", None) if widget.pk else None
        came = {"source": source.kind, "source_config": _written(source.config)} if source else {}
        super().__init__(data, initial=plain | own | came)
        self.fields |= {f"own_{field.name}": _field(field) for field in _info(self.kind)}
        self.fields["source"] = forms.ChoiceField(
            label="Where values come from",
            required=False,
            choices=[("", "They are sent, by curl or code"), *((kind.name, kind.title) for kind in sources.KINDS.values())],
        )
        self.fields["source_config"] = JsonField(
            label="What of it", initial={}, help_text='For rows: {"model": "auth.User", "figure": "count", "where": {"is_active": true}}'
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not self.errors:
            try:
                given["config"] = self._config(given)
                self.kind.settings(given["config"])
                if given["source"]:
                    sources.KINDS[given["source"]].settings(given["source_config"], self.kind)
            except Problem as problem:
                self.add_error("source_config" if problem.field == "source" else None, problem.detail)
        twin = Widget.objects.filter(dashboard=self.widget.dashboard_id, slug=given.get("slug")).exclude(pk=self.widget.pk)
        if twin.exists():
            self.add_error("slug", "This dashboard has a widget of that address already.")
        return given

    def _config(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was written, without what is as it is anyway."""
        usual = msgspec.to_builtins(self.kind.config())
        own = {field.name: given.get(f"own_{field.name}") for field in _info(self.kind)}
        return {name: value for name, value in own.items() if value != usual[name] and not (value is None and usual[name] is None)}

    def onto(self, widget: Widget) -> Widget:
        """The widget with what was written, not saved yet."""
        for name in ("title", "slug", "columns", "rows", "interval", "grace", "config"):
            setattr(widget, name, self.cleaned_data[name])
        widget.order = self.cleaned_data["order"] or 0
        widget.keep = self.cleaned_data["keep"] or widget.keep
        return widget


class JsonField(forms.CharField):
    """Settings that are lists or objects, written as JSON."""

    def __init__(self, **kwargs: Any) -> None:
        shown = {"rows": 4, "spellcheck": "false", "class": "mono"}
        super().__init__(required=False, max_length=MOST_JSON, widget=forms.Textarea(attrs=shown), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return json.loads(text) if text.strip() else self.initial
        except (ValueError, RecursionError) as error:
            where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            raise forms.ValidationError(f"This is not JSON{where}.") from None

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value)


def _written(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value)


def _info(kind: WidgetKind) -> list[Any]:
    described: Any = msgspec.inspect.type_info(kind.config)
    return list(described.fields)


def _field(info: Any) -> forms.Field:
    """The form field for one setting."""
    usual = info.default_factory() if info.default is msgspec.NODEFAULT else info.default
    shown: dict[str, Any] = {"label": info.name.replace("_", " ").capitalize(), "initial": usual, "required": False}
    types = list(info.type.types) if isinstance(info.type, msgspec.inspect.UnionType) else [info.type]
    match types[0]:
        case msgspec.inspect.BoolType():
            return forms.BooleanField(**shown)
        case msgspec.inspect.LiteralType(values=words):
            return _usual(forms.ChoiceField(choices=[(word, word) for word in words], **shown))
        case msgspec.inspect.IntType():
            return _usual(forms.IntegerField(min_value=types[0].ge, max_value=types[0].le, **shown))
        case msgspec.inspect.FloatType():
            return _usual(forms.FloatField(**shown))
        case msgspec.inspect.StrType(max_length=most):
            area: Any = forms.Textarea(attrs={"rows": 8}) if (most or 0) > 300 else forms.TextInput()
            return forms.CharField(max_length=most, widget=area, **shown)
    return JsonField(label=shown["label"], initial=usual)


def _usual(field: forms.Field) -> forms.Field:
    """Left empty, the setting is as it usually is."""
    inner, usual = field.clean, field.initial
    field.clean = lambda value: usual if value in (None, "") else inner(value)  # type: ignore[method-assign]
    return field


class RoleForm(forms.Form):
    """A role for a person or a group, by name."""

    who = forms.CharField(label="Person or group", max_length=150)
    level = forms.TypedChoiceField(label="May", coerce=int, choices=[(2, "edit"), (1, "view"), (3, "manage")], initial=1)

    def clean_who(self) -> Any:
        name = self.cleaned_data["who"].strip()
        users: Any = get_user_model()
        user = users._default_manager.filter(**{users.USERNAME_FIELD: name.removeprefix("user:")}, is_active=True).first()
        group = Group.objects.filter(name=name.removeprefix("group:")).first()
        found = [one for one, word in ((user, "group:"), (group, "user:")) if one is not None and not name.startswith(word)]
        if len(found) != 1:
            both = f"user:{name} and group:{name} both are; write which."
            raise forms.ValidationError(both if found else "There is no person and no group of this name.")
        return found[0]


class LinkForm(forms.Form):
    expires = forms.ChoiceField(label="It ends", required=False, choices=list(_EXPIRIES.items()), initial="7")

    @property
    def lifetime(self) -> timedelta | None:
        days = self.cleaned_data["expires"]
        return timedelta(days=int(days)) if days else None
