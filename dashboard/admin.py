"""Boards and widgets in the admin. Saving and deleting go through the actions, so that open pages follow."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin_forms import Careful, NoTwins
from dashboard import actions, widgets
from dashboard.alerts import actions as alerts
from dashboard.models import AlertRule, Dashboard, Favourite, Role, Series, ShareLink, Source, Widget

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Widget]
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Role, Dashboard]
else:
    ModelForm, ModelAdmin, TabularInline = forms.ModelForm, admin.ModelAdmin, admin.TabularInline


class RoleInline(Careful, TabularInline):
    model = Role
    formset = NoTwins
    extra = 0
    autocomplete_fields = ["user", "group"]


@admin.register(Dashboard)
class DashboardAdmin(Careful, ModelAdmin):
    list_display = ["title", "slug", "access", "owner"]
    list_filter = ["access"]
    search_fields = ["title", "slug"]
    autocomplete_fields = ["owner"]
    readonly_fields = ["revision", "created_at", "updated_at"]
    inlines = [RoleInline]

    def save_model(self, request: HttpRequest, obj: Dashboard, form: Any, change: bool) -> None:
        actions.save_dashboard(obj)


class WidgetForm(ModelForm):
    """A widget whose kind is chosen from those that there are."""

    kind = forms.ChoiceField(choices=[(kind.name, kind.title) for kind in widgets.KINDS.values()])

    class Meta:
        model = Widget
        fields = "__all__"


@admin.register(Widget)
class WidgetAdmin(Careful, ModelAdmin):
    form = WidgetForm
    list_display = ["title", "dashboard", "slug", "kind", "order", "state"]
    list_filter = ["dashboard", "kind", "state"]
    search_fields = ["title", "slug", "dashboard__title"]
    autocomplete_fields = ["dashboard"]
    readonly_fields = ["revision"]

    def save_model(self, request: HttpRequest, obj: Widget, form: Any, change: bool) -> None:
        actions.save_widget(obj)

    def delete_model(self, request: HttpRequest, obj: Widget) -> None:
        actions.remove_widget(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Widget]) -> None:
        for widget in queryset:
            actions.remove_widget(widget)


@admin.register(Series)
class SeriesAdmin(ModelAdmin):
    list_display = ["widget", "name"]
    search_fields = ["name", "widget__title"]


@admin.register(AlertRule)
class AlertRuleAdmin(Careful, ModelAdmin):
    list_display = ["name", "widget", "condition", "state", "enabled"]
    list_filter = ["state", "enabled"]
    readonly_fields = ["state", "since", "judged", "value", "line", "fired", "due_at", "told", "acknowledged_by", "acknowledged_at"]

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        alerts.save_rule(obj)


@admin.register(Source)
class SourceAdmin(Careful, ModelAdmin):
    list_display = ["widget", "kind", "due_at", "failures"]
    list_filter = ["kind"]
    readonly_fields = ["subject", "due_at", "failures"]

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        actions.save_source(obj)


@admin.register(ShareLink)
class ShareLinkAdmin(ModelAdmin):
    list_display = ["dashboard", "hint", "created_by", "expires_at", "revoked_at"]
    readonly_fields = ["digest", "hint"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


admin.site.register(Favourite)
