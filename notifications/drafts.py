"""A notification that has been checked and may be stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.buttons import may_be_pressed
from core.delivery import payload
from core.delivery.payload import BadPayload
from notifications import texts, times
from notifications.errors import BadNotification
from notifications.models import Priority

MAX_ACTIONS = 2
MAX_DATA = 8192
_ACTION = ("label", "url", "method")
# What a person or a token may say instead of a name: ntfy's five steps.
_STEPS = {1: Priority.LOW, 2: Priority.LOW, 3: Priority.NORMAL, 4: Priority.HIGH, 5: Priority.CRITICAL}


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be said, clean. Made by `checked` and `changed`, or from what they made and was stored."""

    title: str
    body: str = ""
    url: str = ""
    category: str = ""
    priority: Priority = Priority.NORMAL
    actions: tuple[dict[str, str], ...] = ()
    key: str = ""
    expires_at: datetime | None = None
    deliver_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    markdown: bool = False

    def fields(self) -> dict[str, Any]:
        """As the columns of a Notification, without the key."""
        return {
            "title": self.title,
            "body": self.body,
            "url": self.url,
            "category": self.category,
            "priority": self.priority,
            "actions": list(self.actions),
            "expires_at": self.expires_at,
            "deliver_at": self.deliver_at,
            "data": dict(self.data),
            "markdown": self.markdown,
        }


def checked(
    *,
    now: datetime,
    title: str,
    body: str = "",
    url: str = "",
    category: str = "",
    priority: Priority = Priority.NORMAL,
    actions: Iterable[Mapping[str, str]] = (),
    key: str = "",
    expires_at: datetime | None = None,
    deliver_at: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    markdown: bool = False,
) -> Draft:
    """Check all of it and return it clean. Raises BadNotification."""
    deliver_at = times.ahead(deliver_at, now=now, field="deliver_at") if deliver_at else None
    expires_at = times.ahead(expires_at, now=now, field="expires_at") if expires_at else None
    draft = Draft(
        title=texts.line(title, field="title", limit=texts.TITLE),
        body=texts.lines(body, field="body", limit=texts.BODY),
        url=texts.url(url),
        category=texts.category(category),
        priority=_priority(priority),
        actions=_actions(actions),
        key=texts.key(key),
        expires_at=expires_at,
        deliver_at=deliver_at,
        data=_data(data or {}),
        markdown=markdown,
    )
    return _in_order(draft, now=now)


def changed(draft: Draft, *, now: datetime, **changes: Any) -> Draft:
    """The draft with these fields of `checked` in place of its own; what it keeps is not judged again. Raises BadNotification."""
    judged = checked(now=now, **({"title": draft.title} | changes))
    return _in_order(replace(draft, **{name: getattr(judged, name) for name in changes}), now=now)


def _in_order(draft: Draft, *, now: datetime) -> Draft:
    """The draft, due at once where its time has come. Raises BadNotification: it would end before it begins."""
    if draft.expires_at and draft.expires_at <= max(now, draft.deliver_at or now):
        raise BadNotification("expires_at lies after now, and after deliver_at.", field="expires_at")
    return draft if draft.deliver_at and draft.deliver_at > now else replace(draft, deliver_at=None)


def priority_named(word: object) -> Priority:
    """The priority that a sender names: low, normal, high, critical, or 1 to 5. Raises BadNotification."""
    text = str(word).strip().lower()
    by_name = {priority.label: priority for priority in Priority} | {str(step): priority for step, priority in _STEPS.items()}
    if isinstance(word, bool) or text not in by_name:
        raise BadNotification("A priority is low, normal, high or critical, or 1 to 5.", field="priority", allowed=Priority.labels)
    return by_name[text]


def _priority(value: object) -> Priority:
    if isinstance(value, Priority):
        return value
    raise BadNotification("A priority is a notifications.models.Priority.", field="priority", allowed=Priority.labels)


def _actions(actions: Iterable[Mapping[str, str]]) -> tuple[dict[str, str], ...]:
    made = tuple(_action(action) for action in actions)
    if len(made) > MAX_ACTIONS:
        raise BadNotification(f"There are at most {MAX_ACTIONS} actions.", field="actions")
    return made


def _action(action: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(action, Mapping) or set(action) - {"method"} != {"label", "url"}:
        raise BadNotification(
            'An action is {"label": ..., "url": ...}, and "method": "post" where it is pressed.', field="actions", allowed=_ACTION
        )
    address = texts.url(action["url"], field="actions")
    if not address:
        raise BadNotification("An action leads somewhere: it needs a url.", field="actions")
    made = {"label": texts.line(action["label"], field="actions", limit=texts.LABEL), "url": address}
    return made | ({"method": "post"} if _is_post(action.get("method", "get"), address) else {})


def _is_post(method: object, address: str) -> bool:
    if method not in ("get", "post"):
        raise BadNotification("An action's method is get or post.", field="actions", allowed=["get", "post"])
    if method == "post" and not may_be_pressed(address):
        raise BadNotification("A button may post to paths of this site whose view is made for it, and nowhere else.", field="actions")
    return method == "post"


def _data(data: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return payload.normalised(data, limit=MAX_DATA)
    except BadPayload as error:
        raise BadNotification(str(error), field="data") from None
