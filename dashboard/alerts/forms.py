"""The form of an alert's rule."""

from typing import Any

from django import forms
from django.utils.html import escape

from core.errors import Problem
from dashboard.alerts import audience, reading
from dashboard.alerts.machine import Condition
from dashboard.models import AlertRule

SEVERITIES = [(1, "low: in the inbox"), (2, "normal: a toast"), (3, "high: on the desktop"), (4, "critical: until it is dismissed")]
CRITICAL = 4
MAY_BE_CRITICAL = "signalbox_notifications.send_critical"
LONGEST = 7 * 86_400
_NEEDS = {Condition.ABOVE: ("high",), Condition.BELOW: ("low",), Condition.OUTSIDE: ("low", "high")}
_PLAIN = (
    "name", "series", "condition", "low", "high", "pending_seconds", "recovery_seconds", "severity", "enabled",
)  # fmt: skip


class RuleForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120, help_text="What people are told, as in “Queue too long”.")
    condition = forms.ChoiceField(label="It is time to alert when the value is", choices=AlertRule.Condition.choices)
    low = forms.FloatField(label="Lowest that is all right", required=False)
    high = forms.FloatField(label="Highest that is all right", required=False)
    series = forms.ChoiceField(label="Which line", required=False)
    pending_seconds = forms.IntegerField(
        label="After so many seconds",
        min_value=0,
        max_value=LONGEST,
        required=False,
        help_text="What is wrong for less alerts nobody.",
    )
    recovery_seconds = forms.IntegerField(
        label="Over when all right for", min_value=0, max_value=LONGEST, required=False, help_text="Seconds."
    )
    severity = forms.TypedChoiceField(label="How loud", coerce=int, choices=SEVERITIES, initial=2)
    audience = forms.CharField(
        label="Who is told", required=False, max_length=1000, help_text=escape(f"Editors, when left empty. {audience.SHAPE}")
    )
    enabled = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(self, data: Any, *, rule: AlertRule, by: Any) -> None:
        shown = {name: getattr(rule, name) for name in _PLAIN} if rule.pk else {}
        super().__init__(data, initial=shown | {"audience": ", ".join(rule.audience)})
        self.rule, self.by = rule, by
        lines = sorted({*rule.widget.series.values_list("name", flat=True), rule.series} - {""})
        self.fields["series"] = forms.ChoiceField(
            label="Which line", required=False, choices=[("", "any" if lines else "the only one"), *((name, name) for name in lines)]
        )
        if not reading.has_numbers(rule.widget.kind):
            self.fields["condition"] = forms.ChoiceField(
                label=self.fields["condition"].label,
                choices=[choice for choice in AlertRule.Condition.choices if choice[0] in (Condition.NO_DATA, Condition.STALE)],
            )

    def clean_severity(self) -> int:
        severity: int = self.cleaned_data["severity"]
        if severity == CRITICAL and self.rule.severity != CRITICAL and not self.by.has_perm(MAY_BE_CRITICAL):
            raise forms.ValidationError("Critical alerts take the permission to send critical notifications.")
        return severity

    def clean_audience(self) -> list[str]:
        try:
            return audience.checked(self.cleaned_data["audience"].split(","))
        except Problem as problem:
            raise forms.ValidationError(problem.detail) from None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        condition = given.get("condition", "")
        for name in _NEEDS.get(condition, ()):
            if given.get(name) is None and name not in self.errors:
                self.add_error(name, "It takes a number here.")
        low, high = given.get("low"), given.get("high")
        if condition == Condition.OUTSIDE and low is not None and high is not None and low >= high:
            self.add_error("high", "The highest lies above the lowest.")
        if condition == Condition.NO_DATA and not given.get("pending_seconds"):
            self.add_error("pending_seconds", "Say how long no value may come.")
        if condition == Condition.STALE and not reading.quiet_seconds(self.rule.widget):
            self.add_error("condition", "Nobody said how often this widget has a value: say so in its settings, or take “no data”.")
        return given

    def onto(self, rule: AlertRule) -> AlertRule:
        """The rule with what was written, not saved yet."""
        for name in (*_PLAIN, "audience"):
            setattr(rule, name, self.cleaned_data[name])
        rule.pending_seconds, rule.recovery_seconds = rule.pending_seconds or 0, rule.recovery_seconds or 0
        return rule
