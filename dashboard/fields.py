"""Typed settings (a Config's) as form fields, by their types: docs/dashboards.md."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django import forms
from django.utils.html import escape

from dashboard.widgets.base import Config

MOST_JSON = 20_000
_LABELS = {"url": "URL", "every": "Asked every"}
Choices = Mapping[str, Sequence[tuple[str, str]]]


def of(config: type[Config], *, prefix: str, choices: Choices | None = None) -> dict[str, forms.Field]:
    """The form fields of these settings. `choices`: what there is to choose from for a setting that is any text by its type."""
    return {f"{prefix}{info.name}": _field(info, (choices or {}).get(info.name)) for info in _described(config)}


def initial(config: Mapping[str, Any], *, prefix: str) -> dict[str, Any]:
    """What was saved, as it stands in the form."""
    return {f"{prefix}{name}": value for name, value in config.items()}


def config_of(config: type[Config], given: Mapping[str, Any], *, prefix: str) -> dict[str, Any]:
    """What was written, without what is as it is anyway."""
    usual = msgspec.to_builtins(config())
    own = {info.name: given.get(f"{prefix}{info.name}") for info in _described(config)}
    return {name: value for name, value in own.items() if value != usual[name] and not (value is None and usual[name] is None)}


def _described(config: type[Config]) -> list[Any]:
    described: Any = msgspec.inspect.type_info(config)
    return list(described.fields)


def _field(info: Any, choices: Sequence[tuple[str, str]] | None) -> forms.Field:
    """The form field for one setting."""
    usual = info.default_factory() if info.default is msgspec.NODEFAULT else info.default
    said, type = _said(info.type)
    shown: dict[str, Any] = {
        "label": said.get("title") or _LABELS.get(info.name) or info.name.replace("_", " ").capitalize(),
        "help_text": escape(said.get("description", "")),
        "initial": usual,
        "required": False,
    }
    types = list(type.types) if isinstance(type, msgspec.inspect.UnionType) else [type]
    if choices is not None:
        return forms.ChoiceField(choices=choices, **shown)
    match types[0]:
        case msgspec.inspect.BoolType():
            return forms.BooleanField(**shown)
        case msgspec.inspect.LiteralType(values=words):
            return _usual(forms.ChoiceField(choices=[(word, str(word).replace("_", " ")) for word in words], **shown))
        case msgspec.inspect.ListType(item_type=msgspec.inspect.LiteralType(values=words)):
            boxes = forms.CheckboxSelectMultiple
            return _usual(forms.MultipleChoiceField(choices=[(word, word) for word in words], widget=boxes, **shown))
        case msgspec.inspect.IntType():
            return _usual(forms.IntegerField(min_value=types[0].ge, max_value=types[0].le, **shown))
        case msgspec.inspect.FloatType():
            return _usual(forms.FloatField(**shown))
        case msgspec.inspect.StrType(max_length=most):
            longest: Any = most or 0
            area: Any = forms.Textarea(attrs={"rows": 8 if longest > 2000 else 3}) if longest > 1000 else forms.TextInput()
            return _usual(forms.CharField(max_length=most, widget=area, **shown))
    return JsonField(label=shown["label"], help_text=shown["help_text"], initial=usual)


def _said(type: Any) -> tuple[dict[str, Any], Any]:
    """What `Meta(title=..., description=...)` of a setting says, and its type without that."""
    if isinstance(type, msgspec.inspect.Metadata):
        return type.extra_json_schema or {}, type.type
    return {}, type


def _usual(field: forms.Field) -> forms.Field:
    """Left empty, the setting is as it usually is."""
    inner, usual = field.clean, field.initial
    field.clean = lambda value: usual if value in (None, "", []) else inner(value)  # type: ignore[method-assign]
    return field


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
