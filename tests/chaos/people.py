"""Makes the people of a run: `python -m tests.chaos.people` prints who they are, with sessions and tokens, as JSON."""

import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.chaos.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.test import Client  # noqa: E402

from core.tokens import make_token  # noqa: E402

MEMBERS = 10


def person(name: str, groups: list[Group]) -> dict[str, Any]:
    user = get_user_model().objects.create_user(name)
    user.groups.set(groups)
    browser = Client()
    browser.force_login(user)
    token = make_token(user, "chaos", ["read:*", "publish:*"])[1]
    return {"name": name, "pk": str(user.pk), "session": browser.cookies[settings.SESSION_COOKIE_NAME].value, "token": token}


def main() -> None:
    club = Group.objects.create(name="club-a")
    people = [person(f"member{number}", [club]) for number in range(MEMBERS)] + [person("stranger", [])]
    json.dump(people, sys.stdout)


if __name__ == "__main__":
    main()
