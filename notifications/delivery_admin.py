"""Deliveries in the admin: how each stands and why, and those that were given up taken up again."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from notifications import transports
from notifications.deliveries import leasing
from notifications.deliveries.reasons import Reason
from notifications.models import Delivery

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    """Looked at; what was given up can be tried again."""

    list_display = ("id", "notification", "person", "way", "state", "why", "attempts", "due_at", "finished_at")
    list_filter = ("state", "transport")
    list_select_related = ("item__notification", "item__user")
    search_fields = ("item__notification__title",)
    ordering = ("-id",)
    actions = ("try_again",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm("signalbox_notifications.change_delivery"))

    @admin.display(description="notification")
    def notification(self, made: Delivery) -> str:
        address = reverse("inbox-item-of", args=[made.item.notification_id, made.item.user_id])
        return format_html('<a href="{}">{}</a>', address, made.item.notification.title)

    @admin.display(description="person")
    def person(self, made: Delivery) -> str:
        return str(made.item.user.get_username())

    @admin.display(description="way", ordering="transport")
    def way(self, made: Delivery) -> str:
        known = transports.of(made.transport)
        return known.label if known else made.transport

    @admin.display(description="why")
    def why(self, made: Delivery) -> str:
        reason = Reason.of(made.reason)
        return f"{reason.words(own=False)}{f' {reason.at:%Y-%m-%d %H:%M} UTC' if reason.at else ''}" if made.reason else ""

    @admin.action(description="Try again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        again = leasing.try_again(Delivery.objects.filter(pk__in=queryset.values("pk")), now=timezone.now())
        messages.success(request, f"{again} will be tried again within seconds, if still needed.")
