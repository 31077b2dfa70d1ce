"""A template engine of our own, so that your base.html, 404.html and admin stay yours and ours find their own."""

from typing import Any

from django.template import TemplateDoesNotExist
from django.template.backends.django import DjangoTemplates

FOLDERS = ("api/", "core/", "dashboard/", "notifications/", "rooms/", "admin/signalbox")


class SignalboxTemplates(DjangoTemplates):
    """Answers to the folders of our apps only. What these extend and include they find among our own templates, never among yours."""

    def get_template(self, template_name: str) -> Any:
        if not template_name.startswith((*FOLDERS, "offline.html")):
            raise TemplateDoesNotExist(template_name, backend=self)
        return super().get_template(template_name)
