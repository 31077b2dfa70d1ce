"""Names of addresses that a project shares with us: `{% url %}` finds the last one defined, which would be ours."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.urls import URLPattern, URLResolver, get_resolver


@register(Tags.urls)
def check_names(**kwargs: Any) -> list[CheckMessage]:
    """A name of both that means the same address, such as `login`, is no harm."""
    from signalbox import urls

    ours = dict(_named(urls.urlpatterns))
    others: list[Any] = [one for one in get_resolver().url_patterns if getattr(one, "urlconf_module", None) is not urls]
    shared = sorted({name for name, address in _named(others) if ours.get(name, address) != address})
    if not shared:
        return []
    text = f"Addresses of yours and of Signalbox's have the same names, and {{% url %}} finds ours: {', '.join(shared)}."
    return [Warning(text, hint="Rename yours, or put them into a namespace.", id="signalbox.W011")]


def _named(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, str]]:
    """(name, address) of all that stand in no namespace."""
    for one in patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLPattern):
            if one.name:
                yield one.name, address
        elif not one.namespace:
            yield from _named(one.url_patterns, address)
