"""`manage.py vapid`: the key by which push services know this installation."""

import base64
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from py_vapid import Vapid02

from notifications.transports import push

HOW = "Every web process and worker needs the same key; on other machines set VAPID_PRIVATE_KEY to what this file holds. Restart to use it."


class Command(BaseCommand):
    help = "Set web push up: make a key once and keep it in DATA_DIR, and say the public half. A new key would end every subscription."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.VAPID_PRIVATE_KEY:
            path = settings.DATA_DIR / settings.VAPID_FILE
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(_new_key())
            settings.VAPID_PRIVATE_KEY = path.read_text()
            self.stdout.write(f"Made a key: {path}\n{HOW}")
        self.stdout.write(f"public key: {push.public_key()}\nsubject: {settings.VAPID_SUBJECT}")


def _new_key() -> str:
    made = Vapid02()
    made.generate_keys()
    return base64.urlsafe_b64encode(made.private_key.private_numbers().private_value.to_bytes(32, "big")).decode().rstrip("=")
