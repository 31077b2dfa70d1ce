"""What kinds of things people are told, declared by the apps that tell them: docs/notifications.md. Pure.

categories.declare(Category("mention", "Mentions", "Somebody wrote your name in a room.", on={"email", "push", "webhook"}))
"""

from dataclasses import dataclass, field

WAYS = frozenset({"email", "push", "webhook"})


@dataclass(frozen=True, slots=True)
class Category:
    """One line of the preferences page.

    on: the transports that are on until a person says otherwise.
    mandatory: those that she cannot switch off; `why` tells her the reason.
    always: what is mandatory goes out at once, also when it was seen, read or put away on a page meanwhile, and in quiet hours: for what
        whoever has her account should not be able to keep from her. Only what is withdrawn or has expired stays.
    shown: False keeps it off the page; it then goes nowhere but to her pages.
    """

    name: str
    title: str
    text: str = ""
    on: frozenset[str] = field(default=WAYS)
    mandatory: frozenset[str] = frozenset()
    why: str = ""
    always: bool = False
    shown: bool = True

    def wanted(self, transport: str, said: bool | None) -> bool:
        """Whether to go this way for somebody who said so, said no, or has said nothing (None)."""
        if transport in self.mandatory:
            return True
        return transport in self.on if said is None or not self.shown else said

    def is_sent_always(self, transport: str) -> bool:
        """Whether nothing that is done on a page holds it back this way."""
        return self.always and transport in self.mandatory


OTHER = Category("", "Everything else", "What your colleagues and programs send without naming a category, or with one of their own.")

_declared: dict[str, Category] = {}


def declare(category: Category) -> None:
    """Make a category known; apps call it in `AppConfig.ready`. Raises ValueError: another one has that name."""
    if not category.name or _declared.get(category.name, category) != category:
        raise ValueError(f"Category {category.name!r} is taken or has no name.")
    _declared[category.name] = category


def of(name: str) -> Category:
    """The category of that name; a name that nobody declared counts as "everything else"."""
    return _declared.get(name, OTHER)


def shown() -> list[Category]:
    """The lines of the preferences page."""
    return [*(category for category in _declared.values() if category.shown), OTHER]
