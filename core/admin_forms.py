"""Forms of the admin that say what is wrong with bad input where Django's own break: JSON of any depth, keys of another kind, twins."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.fields import InvalidJSONInput
from django.forms.models import BaseInlineFormSet

if TYPE_CHECKING:
    InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    InlineFormSet = BaseInlineFormSet


class JsonField(forms.JSONField):
    """JSON as Django reads it; what is nested too deeply to be read is refused like what is malformed."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError("The JSON is nested too deeply.", code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)


class Autocomplete(AutocompleteSelect):
    """Django's, which asks the database for whatever was sent when it shows a form again: what can be no key is left out."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if self._is_key(one)], attr)

    def _is_key(self, value: Any) -> bool:
        try:
            key = self.field.target_field.to_python(value)
        except ValidationError:
            return False
        return "\0" not in str(value) and (not isinstance(key, int) or abs(key) < 2**63)


class Careful:
    """For admins and inlines of ours, before Django's class."""

    formfield_overrides: Any = {models.JSONField: {"form_class": JsonField}}

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        me: Any = self
        if db_field.name in me.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, admin.site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class NoTwins(InlineFormSet):
    """Rows of one form that must differ: Django holds them against what is stored, and unique-where constraints not against each other."""

    def clean(self) -> None:
        super().clean()
        seen: set[object] = set()
        for form in self.forms:
            if form in self.deleted_forms or not (form.has_changed() or form.instance.pk):
                continue
            for one in _only_one_with(form.instance):
                if one in seen:
                    raise ValidationError("Two rows are for the same one. Keep one of them.", code="unique")
                seen.add(one)


def _only_one_with(row: models.Model) -> Iterator[object]:
    """What no other row may have, by each unique-where constraint of its model."""
    for constraint in row._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition:
            values = [row.serializable_value(name) for name in constraint.fields]
            if None not in values:
                yield (constraint.name, *values)
