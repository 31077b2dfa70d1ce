"""The broadcast console at the model's add page, and what was sent, to look at."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from notifications import actions, policy, texts, views
from notifications.errors import BadNotification
from notifications.models import Broadcast, Notification, Priority, Schedule

_AUDIENCES = (("all", "Everybody"), ("staff", "The staff"), ("group", "A group"))


class Compose(forms.Form):
    """What a broadcast says, and to whom."""

    title = forms.CharField(max_length=texts.TITLE, widget=forms.TextInput(attrs={"class": "vTextField"}))
    body = forms.CharField(max_length=texts.BODY, required=False, widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 5}))
    url = forms.CharField(
        max_length=texts.URL, required=False, label="Link", help_text="https://... or a path of this site.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )  # fmt: skip
    priority = forms.TypedChoiceField(
        choices=[(p.value, p.label) for p in Priority], coerce=lambda value: Priority(int(value)), initial=Priority.NORMAL
    )
    audience = forms.ChoiceField(choices=_AUDIENCES, initial="all", widget=forms.RadioSelect)
    group = forms.ModelChoiceField(queryset=Group.objects.order_by("name"), required=False, help_text="Where the audience is a group.")

    send_at = forms.DateTimeField(
        required=False, label="Send at (UTC)", help_text="Empty: now.", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("audience") == "group" and not cleaned.get("group"):
            self.add_error("group", "Choose the group.")
        return cleaned

    def send(self, sender: Any) -> Broadcast:
        """Send it. Raises BadNotification."""
        said = self.cleaned_data
        policy.check_priority(sender, said["priority"])
        audience = said["group"] if said["audience"] == "group" else said["audience"]
        return actions.broadcast(audience, **self._said(), send_at=said["send_at"], sender=sender)

    def send_test(self, sender: Any) -> None:
        """Show it to nobody but the sender. The next test takes the place of this one. Raises BadNotification."""
        policy.check_priority(sender, self.cleaned_data["priority"])
        actions.notify(sender, **self._said(), category="broadcast", key="broadcast-test", sender=sender)

    def _said(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("title", "body", "url", "priority")}


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnly(ModelAdmin):
    """Looked at, never changed by hand: the actions keep rows and screens in step."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnly):
    list_display = ("id", "title", "state", "total", "written", "sender", "sent_at", "progress")
    list_filter = ("state",)
    list_select_related = ("notification", "sender")
    ordering = ("-id",)

    @admin.display(description="title")
    def title(self, made: Broadcast) -> str:
        return made.notification.title

    @admin.display(description="progress")
    def progress(self, made: Broadcast) -> str:
        return format_html('<a href="{}">Progress</a>', reverse("admin:signalbox_notifications_broadcast_progress", args=[made.pk]))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return policy.may_broadcast(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return policy.may_broadcast(request.user)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return policy.may_broadcast(request.user)

    def get_urls(self) -> list[URLPattern]:
        progress = self.admin_site.admin_view(views.broadcast_progress)
        steer = self.admin_site.admin_view(require_POST(views.broadcast_steer))
        return [
            path("<int:pk>/progress/", progress, name="signalbox_notifications_broadcast_progress"),
            path("<int:pk>/steer/<str:verb>/", steer, name="signalbox_notifications_broadcast_steer"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Compose and send. Whoever may send finds it; for everybody else Django's own refusal."""
        if not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        form = Compose(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                if "_test" not in request.POST:
                    return self._sent(request, form.send(request.user))
                form.send_test(request.user)
                messages.success(request, "You have it on your screens, and nobody else.")
            except BadNotification as error:
                # What the actions call deliver_at, this form calls send_at.
                field = "send_at" if error.field == "deliver_at" else error.field
                form.add_error(field if field in form.fields else None, str(error))
        context = self.admin_site.each_context(request) | {"title": "Send a broadcast", "form": form, "opts": self.opts}
        return render(request, "notifications/admin_broadcast.html", context)

    def _sent(self, request: HttpRequest, made: Broadcast) -> HttpResponse:
        self.log_addition(request, made, [{"added": {}}])
        whither = f"goes out at {made.send_at:%Y-%m-%d %H:%M} UTC" if made.send_at else f"is on its way to {made.total} people"
        messages.success(request, f"“{made.notification.title}” {whither}.")
        return redirect("admin:signalbox_notifications_broadcast_progress", made.pk)


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    list_display = ("id", "title", "category", "priority", "sender", "created_at", "withdrawn_at")
    list_filter = ("priority", "category")
    list_select_related = ("sender",)
    search_fields = ("title", "key")
    ordering = ("-id",)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("name", "slot", "broadcast", "made_at")
    ordering = ("-slot",)
