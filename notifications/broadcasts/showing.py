"""A broadcast's progress as HTML: on its page and as it is pushed, the same bytes."""

from collections.abc import Mapping
from typing import Any

from django.template.loader import get_template
from django.urls import reverse

_STEER = "admin:signalbox_notifications_broadcast_steer"
_CANCEL = ("cancel", "Cancel", "Reach nobody else?")
_WITHDRAW = ("withdraw", "Cancel and withdraw", "Take it off every screen and out of every inbox?")
_BUTTONS = {
    "scheduled": (("pause", "Pause", ""), _CANCEL),
    "sending": (("pause", "Pause", ""), _CANCEL, _WITHDRAW),
    "paused": (("resume", "Resume", ""), _CANCEL, _WITHDRAW),
    "done": (("withdraw", "Withdraw", _WITHDRAW[2]),),
    "cancelled": (("withdraw", "Withdraw", _WITHDRAW[2]),),
}
_TONES = {"scheduled": "stale", "sending": "info", "paused": "late", "cancelled": "err", "done": "live"}


def progress_html(pk: int, about: Mapping[str, Any]) -> str:
    """How far it is, and the buttons that make sense now. Takes what `progress.about` says; older events know less."""
    total, written = about["total"], about["written"]
    figures = [
        ("Queued", max(total - written, 0) if about["state"] in ("scheduled", "sending", "paused") else 0),
        ("Written", written),
        ("Connected now", about.get("connected", 0)),
        ("Seen", about.get("seen", 0)),
        ("Read", about.get("read", 0)),
    ]
    context = {
        "pk": pk,
        "state": about["state"],
        "tone": _TONES.get(about["state"], "stale"),
        "reason": about.get("reason", ""),
        "figures": [(name, grouped(count)) for name, count in figures],
        "total": grouped(total),
        "written": grouped(written),
        "pace": _pace(about),
        "last": about.get("last") if about["state"] == "sending" else "",
        "part": f"{min(written, total)}",
        "whole": f"{max(total, 1)}",
        "buttons": [(reverse(_STEER, args=[pk, verb]), words, sure) for verb, words, sure in _BUTTONS.get(about["state"], ())],
    }
    return get_template("notifications/_progress.html").render(context)


def grouped(count: int) -> str:
    """12 345: with narrow blanks, which no language reads as a decimal sign."""
    return f"{count:,}".replace(",", "\u202f")


def _pace(about: Mapping[str, Any]) -> str:
    """How fast, and how long yet, while it is being written."""
    if about["state"] != "sending" or not about.get("rate"):
        return ""
    left = about.get("left")
    return f"{grouped(about['rate'])} a second" + (f", {duration(left)} left" if left is not None else "")


def duration(seconds: int) -> str:
    """About how long: 40 s, 3 min, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
