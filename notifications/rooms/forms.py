"""The form that opens a room."""

from typing import Any

from django import forms
from django.utils.text import slugify

from notifications.rooms.models import Room
from notifications.rooms.text import TITLE_LENGTH, BadText, clean_title, is_slug


class RoomForm(forms.Form):
    title = forms.CharField(label="Name", max_length=8 * TITLE_LENGTH, widget=forms.TextInput(attrs={"maxlength": TITLE_LENGTH}))
    slug = forms.CharField(
        label="Address", required=False, max_length=64, help_text="After /rooms/. Made from the name when left empty: a-z, 0-9, - and _."
    )
    access = forms.ChoiceField(label="Who may come in", choices=Room.Access.choices, initial=Room.Access.PUBLIC)

    def clean_title(self) -> str:
        try:
            return clean_title(self.cleaned_data["title"])
        except BadText as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "title" in given and "slug" in given:
            given["slug"] = given["slug"].lower() or slugify(given["title"])[:64]
            self._check_slug(given["slug"])
        return given

    def _check_slug(self, slug: str) -> None:
        if not is_slug(slug):
            self.add_error("slug", "Use a-z, 0-9, - and _, beginning with a letter or digit; the names of our own pages are taken.")
        elif Room.objects.filter(slug=slug).exists():
            self.add_error("slug", "There is a room at this address already.")


class SettingsForm(forms.Form):
    title = forms.CharField(label="Name", max_length=8 * TITLE_LENGTH, widget=forms.TextInput(attrs={"maxlength": TITLE_LENGTH}))
    access = forms.ChoiceField(label="Who may come in", choices=Room.Access.choices)
    slow_seconds = forms.IntegerField(
        label="Slow mode", min_value=0, max_value=86_400, help_text="Seconds that one person waits between two messages; 0: none."
    )
    keep_days = forms.IntegerField(label="Days that messages are kept", min_value=0, max_value=36_500, help_text="0: for ever.")

    clean_title = RoomForm.clean_title
