"""A page's lists as a browser would have them: applies the fragments that pushes carry, by the rules of htmx."""

import re
from dataclasses import dataclass, field

_PART = re.compile(r'<hx-(upsert|partial) hx-target="([^"]+)"([^>]*)>(.*?)</hx-\1>', re.DOTALL)
_LIST = re.compile(r'<ol class="rows[^"]*" id="([a-z-]+)"[^>]*>(.*?)</ol>', re.DOTALL)
_ROW = re.compile(r'<li class="row.*?</li>', re.DOTALL)
_ID = re.compile(r'id="([a-z]-[0-9]+)"')
_PLACE = re.compile(r'data-place="([0-9]+)-([0-9]+)"')


@dataclass
class Screen:
    """The lists of one page, each id -> row; the toasts; and how often it would have taken its regions anew."""

    lists: dict[str, dict[str, str]]
    toasts: list[str] = field(default_factory=list)
    refetches: int = 0

    @classmethod
    def of(cls, page: str) -> "Screen":
        return cls({name: {_ID.search(row)[1]: row for row in _ROW.findall(inner)} for name, inner in _LIST.findall(page)})  # type: ignore[index]

    def rows(self, name: str) -> list[str]:
        """The rows of a list, top first, without what a template's white space differs in."""
        return [" ".join(row.split()) for row in self.lists[name].values()]

    def apply(self, html: str) -> None:
        if 'hx-swap-oob="outerMorph"' in html:
            self.refetches += 1
        for how, target, attributes, inner in _PART.findall(html):
            if how == "upsert":
                self._upsert(target.removeprefix("#"), inner)
            elif target == "#toasts":
                self.toasts.append(inner)
            else:
                self._swap(target.removeprefix("#"), re.search(r'hx-swap="(\w+)"', attributes)[1], inner)  # type: ignore[index]

    def _swap(self, id: str, how: str, inner: str) -> None:
        for rows in self.lists.values():
            if id in rows:
                if how == "delete":
                    del rows[id]
                else:
                    rows[id] = inner

    def _upsert(self, target: str, inner: str) -> None:
        for row in _ROW.findall(inner):
            id = _ID.search(row)[1]  # type: ignore[index]
            holder = next((rows for rows in self.lists.values() if id in rows), None)
            if holder is not None:
                holder[id] = row
            elif target in self.lists:
                rows = {**self.lists[target], id: row}
                self.lists[target] = dict(sorted(rows.items(), key=lambda pair: _place(pair[1]), reverse=True))


def _place(row: str) -> tuple[int, int]:
    found = _PLACE.search(row)
    assert found, row
    return int(found[1]), int(found[2])
