"""The broadcast console at the model's add page, and what was sent, to look at."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from notifications import delivery_admin, policy
from notifications.broadcasts import actions as broadcasts
from notifications.broadcasts import console, showing
from notifications.errors import BadNotification
from notifications.models import Broadcast, Notification, Recurrence, Schedule

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
        name, page = "signalbox_notifications_broadcast", self.admin_site.admin_view
        return [
            path("add/preview/", page(console.preview), name=f"{name}_preview"),
            path("add/count/", page(console.count), name=f"{name}_count"),
            path("<int:pk>/progress/", page(console.broadcast_progress), name=f"{name}_progress"),
            path("<int:pk>/steer/<str:verb>/", page(console.broadcast_steer), name=f"{name}_steer"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Compose and send. Whoever may send finds it; for everybody else Django's own refusal."""
        if not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        return console.compose(request, {"opts": self.opts}, lambda made: self._sent(request, made))

    def _sent(self, request: HttpRequest, made: Broadcast) -> None:
        whither = (
            f"goes out at {made.send_at:%Y-%m-%d %H:%M} UTC"
            if made.send_at
            else f"is on its way to {showing.grouped(made.total)} {'person' if made.total == 1 else 'people'}"
        )
        messages.success(request, f"“{made.notification.title}” {whither}.")


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    list_display = ("id", "title", "category", "priority", "sender", "created_at", "withdrawn_at")
    list_filter = ("priority", "category")
    list_select_related = ("sender",)
    search_fields = ("title", "key")
    ordering = ("-id",)


@admin.register(Recurrence)
class RecurrenceAdmin(ReadOnly):
    """Made on the console's page; switched on and off here."""

    list_display = ("title", "crontab", "enabled", "next_at", "sender", "reason")
    list_select_related = ("crontab", "sender")
    ordering = ("-id",)
    actions = ("switch_on", "switch_off")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return policy.may_broadcast(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return policy.may_broadcast(request.user)

    @admin.action(description="Switch on", permissions=["view"])
    def switch_on(self, request: HttpRequest, chosen: Any) -> None:
        self._switch(request, chosen, on=True)

    @admin.action(description="Switch off", permissions=["view"])
    def switch_off(self, request: HttpRequest, chosen: Any) -> None:
        self._switch(request, chosen, on=False)

    def _switch(self, request: HttpRequest, chosen: Any, *, on: bool) -> None:
        switched = 0
        for one in chosen:
            try:
                switched += broadcasts.switch(one, on=on, by=request.user)
            except BadNotification as error:
                messages.error(request, f"“{one.title}” stays off: {error}")
        messages.success(request, f"Switched {'on' if on else 'off'}: {switched}.")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("name", "slot", "broadcast", "made_at")
    ordering = ("-slot",)


__all__ = ["delivery_admin"]  # whose models are registered by being imported
