"""`manage.py token make|list|revoke`: bearer tokens for the API."""

import argparse
import re
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from core.models import ApiToken
from core.tokens import BadScope, make_token, revoke

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "Make, list and revoke tokens for the API. A new token is written to standard output, once."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, parser_class=argparse.ArgumentParser)
        make = actions.add_parser("make", help="Make a token that may do what a user may, within scopes.")
        make.add_argument("user", help="The owner's user name.")
        make.add_argument("--name", required=True, help="What it is for, as in 'ci'.")
        make.add_argument("--scope", action="append", required=True, dest="scopes", help="As in 'notify:ops'; may be given several times.")
        make.add_argument("--expires", help="30m, 2h, 90d, or a time with offset as in 2030-01-01T00:00:00Z.")
        listing = actions.add_parser("list", help="List tokens, without their text.")
        listing.add_argument("user", nargs="?", help="Of this user only.")
        end = actions.add_parser("revoke", help="Refuse a token from now on.")
        end.add_argument("token", help="Its number from the list, or its first characters.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(**options)

    def _make(self, *, user: str, name: str, scopes: list[str], expires: str | None, **options: Any) -> None:
        try:
            _, text = make_token(_user(user), name, scopes, _time(expires, now=timezone.now()))
        except BadScope as error:
            raise CommandError(str(error)) from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)

    def _list(self, *, user: str | None, **options: Any) -> None:
        tokens: QuerySet[ApiToken] = ApiToken.objects.select_related("user").order_by("pk")
        now = timezone.now()
        for token in tokens.filter(user=_user(user)) if user else tokens:
            self.stdout.write(f"{token.pk}\t{token.hint}...\t{token.user}\t{token.name}\t{' '.join(token.scopes)}\t{_state(token, now)}")

    def _revoke(self, *, token: str, **options: Any) -> None:
        rows = ApiToken.objects.filter(pk=int(token)) if token.isascii() and token.isdigit() else ApiToken.objects.filter(hint=token[:8])
        found = list(rows[:2])
        if len(found) != 1:
            raise CommandError("No token begins so." if not found else "Several tokens begin so; give the number from `token list`.")
        if not revoke(found[0], now=timezone.now()):
            raise CommandError("It was revoked before.")
        self.stdout.write(f"{found[0]} is refused from now on.")


def _user(name: str) -> Any:
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None


def _time(text: str | None, *, now: datetime) -> datetime | None:
    if text is None:
        return None
    span = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text, re.ASCII)
    if span:
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        time = parse_datetime(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or time <= now:
        raise CommandError("--expires is a time to come: 30m, 2h, 90d, or a time with offset as in 2030-01-01T00:00:00Z.")
    return time


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%MZ}"
    if token.expires_at and token.expires_at <= now:
        return f"expired {token.expires_at:%Y-%m-%d %H:%MZ}"
    return f"last used {token.last_used_at:%Y-%m-%d %H:%MZ}" if token.last_used_at else "never used"
