"""The core in the admin: tokens are made and revoked; channels, events and idempotency keys may be looked at."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import escape

from core.models import ApiToken, Channel, Event, Intent
from core.tokens import GRAMMAR, BadScope, checked_scopes, make_token, revoke

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[ApiToken]
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelForm, ModelAdmin = forms.ModelForm, admin.ModelAdmin

NEW = ["user", "name", "scopes", "expires_at"]
KNOWN = ["user", "name", "hint", "covers", "created_at", "last_used_at", "expires_at", "revoked_at"]

# A second button would lead away from the page that shows the token.
ONE_BUTTON = {"show_save_and_continue": False, "show_save_and_add_another": False}


class TokenForm(ModelForm):
    """What a new token needs. The token itself is made when the form is saved, and shown once."""

    scopes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=escape(f"One in each line: {', '.join(GRAMMAR)}; * as the last character stands for any ending."),
    )

    class Meta:
        model = ApiToken
        fields = NEW

    def clean_scopes(self) -> list[str]:
        try:
            return checked_scopes(self.cleaned_data["scopes"].splitlines())
        except BadScope as error:
            raise forms.ValidationError(str(error)) from error

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if not name or not name.isprintable():
            raise forms.ValidationError("A name is made of printable characters.")
        return name


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ["name", "user", "hint", "covers", "last_used_at", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "hint", "user__username"]
    actions = ["revoke"]

    @admin.display(description="Scopes")
    def covers(self, token: ApiToken) -> str:
        return " ".join(token.scopes)

    # A token is made and revoked, never changed or deleted: who used it stays known.
    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("signalbox.change_apitoken")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """Everybody's tokens for superusers, one's own for others of the staff."""
        tokens = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user_id=request.user.pk)

    def get_form(self, request: HttpRequest, obj: ApiToken | None = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        # Through the factory, which is what asks formfield_for_foreignkey.
        return super().get_form(request, obj, change, **({"form": TokenForm} if obj is None else {}), **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return NEW if obj is None else KNOWN

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return [] if obj is None else KNOWN

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # A token may do what its owner may: only a superuser may lend somebody else's rights.
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "user" and isinstance(field, forms.ModelChoiceField):
            people = get_user_model()._default_manager.filter(is_active=True)
            field.queryset = people if request.user.is_superuser else people.filter(pk=request.user.pk or 0)
            field.initial = request.user.pk
        return field

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        return super().render_change_form(request, context | ONE_BUTTON, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        made, text = make_token(obj.user, obj.name, form.cleaned_data["scopes"], obj.expires_at)
        obj.pk = made.pk
        request.made_token = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        # Shown in the answer itself: a redirect would have to keep the text somewhere until the next page.
        shown = {"title": "The new token", "token": obj, "text": request.made_token, "opts": self.opts}  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), **shown}
        return TemplateResponse(request, "admin/signalbox/apitoken/made.html", context, headers={"Cache-Control": "no-store"})

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        now = timezone.now()
        count = sum(revoke(token, now=now) for token in tokens)
        self.message_user(request, f"{count} tokens were revoked; they are refused from now on.", messages.SUCCESS)


class ReadOnly(ModelAdmin):
    """To look at: the core alone writes these rows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Channel)
class ChannelAdmin(ReadOnly):
    list_display = ["name", "head", "tail", "numbered_at"]
    search_fields = ["name"]


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = ["id", "channel", "offset", "type", "key", "created_at"]
    search_fields = ["channel"]
    list_filter = ["type"]
    show_full_result_count = False
    ordering = ["-id"]


@admin.register(Intent)
class IntentAdmin(ReadOnly):
    list_display = ["scope", "key", "expires_at"]
    search_fields = ["scope", "key"]
    show_full_result_count = False
    fields = ["scope", "key", "body_hash", "expires_at"]  # not the answer: it is the caller's
