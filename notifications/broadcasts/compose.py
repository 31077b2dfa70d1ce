"""What the console's page asks for: what a broadcast says, to whom, and when."""

import hashlib
import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib.auth.models import Group, Permission

from notifications import actions, audiences, conditions, policy, texts
from notifications.audiences import Audience
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import names
from notifications.conditions import HOWS, Condition
from notifications.errors import BadNotification
from notifications.models import Broadcast, Priority, Recurrence
from notifications.snoozing import zone_known

ROWS = 3  # of conditions
AUDIENCES = (
    ("all", "Everybody"),
    ("staff", "The staff"),
    ("groups", "Groups"),
    ("permission", "Who has a permission"),
    ("names", "Named people and groups"),
)
_PARTS = {"groups": "Choose a group.", "permission": "Choose the permission.", "names": "Name somebody."}


class Compose(forms.Form):
    """What a broadcast says, and to whom. Takes bad input field by field; `send` does it."""

    title = forms.CharField(max_length=texts.TITLE)
    body = forms.CharField(
        max_length=texts.BODY, required=False, label="Text", widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Markdown: **bold**, _italic_, [a link](https://...), lists, > quotes.",
    )  # fmt: skip
    url = forms.CharField(max_length=texts.URL, required=False, label="Link", help_text="https://... or a path of this site.")
    priority = forms.TypedChoiceField(
        choices=[(p.value, p.label.capitalize()) for p in Priority], coerce=lambda value: Priority(int(value)), initial=Priority.NORMAL
    )
    audience = forms.ChoiceField(choices=AUDIENCES, initial="all", widget=forms.RadioSelect, label="To")
    groups = forms.ModelMultipleChoiceField(queryset=Group.objects.order_by("name"), required=False)
    permission = forms.ModelChoiceField(queryset=Permission.objects.none(), required=False)
    names = forms.CharField(
        required=False, max_length=20_000, label="Names", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="User names, group:ops, perm:app.codename; parted by commas or lines.",
    )  # fmt: skip
    file = forms.FileField(
        required=False, label="Or a CSV file", help_text="User names in the first column, or in one headed username; UTF-8.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )  # fmt: skip
    without_groups = forms.ModelMultipleChoiceField(queryset=Group.objects.order_by("name"), required=False, label="But not these groups")
    without = forms.CharField(required=False, max_length=20_000, label="And not", help_text="The same words, as in bob, perm:app.codename.")
    send_at = forms.DateTimeField(
        required=False, label="Send at", help_text="Empty: now. On the clock of the time zone below.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )  # fmt: skip
    repeats = forms.CharField(
        required=False, max_length=200, label="Repeats",
        help_text="Empty: never. Else five fields: minute, hour, day of month, month, day of week, as in 0 9 * * mon-fri.",
    )  # fmt: skip
    zone = forms.CharField(required=False, max_length=64, initial="UTC", label="Time zone", help_text="As in UTC, Europe/Berlin.")
    intent = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *given: Any, sender: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._sender = sender
        permissions = Permission.objects.select_related("content_type").order_by("content_type__app_label", "codename")
        self.fields["permission"].queryset = permissions  # type: ignore[attr-defined]
        self.fields["permission"].label_from_instance = lambda one: f"{one.content_type.app_label}.{one.codename}"  # type: ignore[attr-defined]
        if not self.is_bound:
            self.fields["zone"].widget.attrs["data-browser-zone"] = True
        self.fields["intent"].initial = secrets.token_hex(8)
        names = [("", "any field"), *((name, name.replace("_", " ")) for name in conditions.fields())]
        for number in range(ROWS):
            self.fields[f"where_{number}"] = forms.CharField(required=False, max_length=100, widget=forms.Select(choices=names))
            self.fields[f"how_{number}"] = forms.CharField(required=False, max_length=20, widget=forms.Select(choices=list(HOWS.items())))
            self.fields[f"value_{number}"] = forms.CharField(required=False, max_length=conditions.VALUE)
            for part, words in (("where", "Field"), ("how", "How"), ("value", "Value")):
                self.fields[f"{part}_{number}"].widget.attrs["aria-label"] = f"{words} of condition {number + 1}"

    @property
    def says(self) -> list[forms.BoundField]:
        return [self[name] for name in ("title", "body", "url", "priority")]

    @property
    def parts(self) -> list[forms.BoundField]:
        """What belongs to one choice of audience each."""
        return [self[name] for name in ("groups", "permission", "names", "file")]

    @property
    def exceptions(self) -> list[forms.BoundField]:
        return [self["without_groups"], self["without"]]

    @property
    def times(self) -> list[forms.BoundField]:
        return [self[name] for name in ("send_at", "repeats", "zone")]

    @property
    def can_narrow(self) -> bool:
        return bool(conditions.fields())

    @property
    def is_narrowed(self) -> bool:
        return any(row[0].value() for row in self.where)

    @property
    def has_exceptions(self) -> bool:
        return any(field.value() for field in self.exceptions)

    @property
    def where(self) -> list[list[forms.BoundField]]:
        return [[self[f"{part}_{number}"] for part in ("where", "how", "value")] for number in range(ROWS)]

    # --- whom ---

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        part = cleaned.get("audience", "")
        if cleaned.get("repeats") and cleaned.get("send_at"):
            self.add_error("repeats", "It repeats, or it goes out at one time: leave one of them empty.")
        if cleaned.get("send_at"):
            self._on_the_clock_of_its_zone(cleaned)
        if part == "names" and cleaned.get("file"):
            cleaned["meant"] = self._meant()
        elif part in _PARTS and part not in self.errors and not cleaned.get(part):
            self.add_error(part, _PARTS[part])
        elif part:
            cleaned["meant"] = self._meant()
        return cleaned

    def _on_the_clock_of_its_zone(self, cleaned: dict[str, Any]) -> None:
        zone = zone_known(cleaned.get("zone") or "UTC")
        if zone is None:
            self.add_error("zone", "There is no such time zone. It is written like UTC or Europe/Berlin.")
            return
        # In an hour that a clock jumps over it is an hour later.
        cleaned["send_at"] = cleaned["send_at"].replace(tzinfo=zone)

    def _meant(self) -> Audience | None:
        """The audience as it was chosen; None where a field of it is wrong, which then says so."""
        chosen = self.cleaned_data["audience"]
        from_file = chosen == "names" and self.cleaned_data.get("file")
        base = self._read(partial(self._audience, self._named if from_file else self._base), field="file" if from_file else chosen)
        without = self._read(partial(self._audience, self._without), field="without")
        where = [one for number in range(ROWS) if (one := self._condition(number)) is not None]
        if base is None or any(name in self.errors for name in ("without", *(f"value_{number}" for number in range(ROWS)))):
            return None
        return audiences.narrowed(base, conditions=where, without=without)

    def _audience(self, read: Callable[[], Audience | None]) -> Audience | None:
        """Whoever is meant. Its channels are asked for before anybody is counted, for the count would tell. Raises BadNotification."""
        found = read()
        if found is not None:
            policy.check_may_watch(self._sender, found)
        return found

    def _read(self, read: Any, *, field: str) -> Any:
        try:
            return read()
        except BadNotification as error:
            self.add_error(field, str(error))
            return None

    def _base(self) -> Audience:
        said = self.cleaned_data
        chosen = said["audience"]
        if chosen == "groups":
            return audiences.resolve(list(said["groups"]))
        if chosen == "permission":
            one = said["permission"]
            return audiences.resolve(f"perm:{one.content_type.app_label}.{one.codename}")
        return audiences.resolve(_words(said["names"]) if chosen == "names" else chosen)

    def _named(self) -> Audience:
        """The people of the file, and those who are named beside it."""
        found = names.read(self.cleaned_data["file"])
        words = _words(self.cleaned_data["names"])
        return audiences.merged(found, audiences.resolve(words)) if words else found

    def _without(self) -> Audience | None:
        left_out: list[Any] = [*self.cleaned_data.get("without_groups", ()), *_words(self.cleaned_data.get("without", ""))]
        return audiences.resolve(left_out) if left_out else None

    def _condition(self, number: int) -> Condition | None:
        field, how, value = (self.cleaned_data.get(f"{part}_{number}", "") for part in ("where", "how", "value"))
        if not field:
            return None
        found: Condition | None = self._read(lambda: conditions.checked(field, how or "is", value), field=f"value_{number}")
        return found

    # --- what becomes of it ---

    def send(self, sender: Any) -> Broadcast | Recurrence:
        """Send it, or plan it for every time it repeats; once however often this very form arrives. Raises BadNotification."""
        said = self.cleaned_data
        policy.check_priority(sender, said["priority"])
        if said["repeats"]:
            again = {"zone": said["zone"] or "UTC", "sender": sender, "token": self.token(sender)}
            return broadcasts.recur(said["meant"], said["repeats"], **self.said(), **again)
        return actions.broadcast(said["meant"], **self.said(), send_at=said["send_at"], sender=sender, token=self.token(sender))

    def send_test(self, sender: Any) -> None:
        """Show it to nobody but the sender. The next test takes the place of this one. Raises BadNotification."""
        policy.check_priority(sender, self.cleaned_data["priority"])
        actions.notify(sender, **self.said(), category="broadcast", key="broadcast-test", sender=sender)

    def said(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("title", "body", "url", "priority")} | {"markdown": True}

    def token(self, sender: Any) -> str:
        """What a second click has in common with the first. Who changes a word and sends again means another broadcast."""
        if not self.cleaned_data["intent"]:
            return ""
        said = {name: self[name].value() for name in self.fields} | {"file": self._fingerprint()}
        return hashlib.sha256(json.dumps([sender.pk, said], default=str).encode("utf-8", "surrogatepass")).hexdigest()

    def _fingerprint(self) -> str:
        """What the file holds: corrected, it has its old name and other people."""
        file = self.cleaned_data.get("file")
        if not file:
            return ""
        file.seek(0)
        return hashlib.sha256(file.read()).hexdigest()


def _words(text: str) -> list[str]:
    return audiences.split(text.replace("\n", ","))
