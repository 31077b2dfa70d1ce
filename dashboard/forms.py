"""The forms of boards, widgets, roles and share links. A widget's own settings become fields by their types."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.forms.utils import ErrorDict
from django.utils.text import slugify

from core.errors import Problem
from dashboard import fields, sources, widgets
from dashboard.models import Access, Dashboard, Widget, check_slug
from dashboard.sources.base import SourceKind

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
        label="A value every", min_value=0.1, max_value=1e7, required=False, help_text="Seconds; empty: learnt from how its values come."
    )
    grace = forms.FloatField(label="Late after another", min_value=0, max_value=1e7, required=False, help_text="Seconds.")

    keep = forms.IntegerField(
        label="Keep every value for", min_value=1, max_value=10_000, required=False, help_text="Hours; after that charts show summaries."
    )

    paused = forms.BooleanField(label="Paused", required=False, help_text="Its source is not asked, and the tile says so.")

    def __init__(self, data: Any, *, widget: Widget) -> None:
        self.widget, self.kind = widget, widgets.of(widget.kind)
        saved = getattr(widget, "source", None) if widget.pk else None
        self.source = sources.KINDS.get(data.get("source", "") if data is not None else saved.kind if saved else "")
        super().__init__(data, initial=self._saved(saved))
        self.fields |= fields.of(self.kind.config, prefix="own_")
        self.fields["source"] = self._source_field()
        if self.source:
            self.fields |= self._from(self.source)
        if data is not None:
            self._fill_in()

    def _saved(self, source: Any) -> dict[str, Any]:
        widget = self.widget
        plain = {name: getattr(widget, name) for name in ("title", "slug", "columns", "rows", "order", "interval", "grace", "keep")}
        plain |= {"paused": widget.state == Widget.State.PAUSED} | fields.initial(widget.config, prefix="own_")
        return plain | ({"source": source.kind} | fields.initial(source.config, prefix="from_") if source else {})

    def _source_field(self) -> forms.Field:
        fitting = [kind for kind in sources.KINDS.values() if kind.feeds(self.kind) or kind is self.source]
        return forms.ChoiceField(
            label="Where values come from",
            required=False,
            choices=[("", "They are sent, by curl or code"), *((kind.name, kind.title) for kind in fitting)],
            help_text=self.source.help if self.source else "",
        )

    def _from(self, source: SourceKind) -> dict[str, forms.Field]:
        made = fields.of(source.config, prefix="from_", choices=source.choices(self.kind))
        if every := made.pop("from_every", None):
            every.help_text = f"Seconds; empty: every {source.every}."
            made["from_every"] = every
        return made

    def _fill_in(self) -> None:
        """Fields that were not on the page that was sent have what they usually have: those of a source that was just chosen."""
        own = {name for name in self.fields if name.startswith("from_")} - {"from_every"}
        if own and not own & set(self.data):
            usual = {name: self.fields[name].prepare_value(self.fields[name].initial) for name in own}
            sent: Any = self.data
            self.data = sent.copy()
            for name, value in usual.items():
                self.data.setlist(name, value if isinstance(value, list) else ["" if value is None else value])  # type: ignore[attr-defined]

    def forget_errors(self) -> None:
        """Show what was sent without what is wrong with it: it is not finished."""
        self._errors = ErrorDict()

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not self.errors:
            try:
                given["config"] = fields.config_of(self.kind.config, given, prefix="own_")
                self.kind.settings(given["config"])
                given["source_config"] = self._source_config(given, self.source) if self.source else {}
            except Problem as problem:
                self.add_error(self._where(problem), problem.detail)
        twin = Widget.objects.filter(dashboard=self.widget.dashboard_id, slug=given.get("slug")).exclude(pk=self.widget.pk)
        if twin.exists():
            self.add_error("slug", "This dashboard has a widget of that address already.")
        return given

    def _source_config(self, given: dict[str, Any], source: SourceKind) -> dict[str, Any]:
        config = fields.config_of(source.config, given, prefix="from_")
        source.settings(config, self.kind)
        return config

    def _where(self, problem: Problem) -> str | None:
        """The field that a problem is about: `source.url` is its address."""
        about, _, name = (problem.field or "").partition(".")
        if about != "source":
            return None
        return f"from_{name}" if f"from_{name}" in self.fields else "source"

    def onto(self, widget: Widget) -> Widget:
        """The widget with what was written, not saved yet."""
        for name in ("title", "slug", "columns", "rows", "interval", "grace", "config"):
            setattr(widget, name, self.cleaned_data[name])
        widget.order = self.cleaned_data["order"] or 0
        widget.keep = self.cleaned_data["keep"] or widget.keep
        if self.cleaned_data["paused"] != (widget.state == Widget.State.PAUSED):
            widget.state, widget.error = Widget.State.PAUSED if self.cleaned_data["paused"] else Widget.State.OK, ""
        return widget


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
