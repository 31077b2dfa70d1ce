"""A channel layer that loses, doubles and reorders: a wrap around the real one, with a seed."""

import random
from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

DROPPED, DOUBLED, REORDERED = 0.2, 0.1, 0.2


class LossyLayer:
    """Does to `group_send` what faults.md says; everything else is the layer's that it wraps."""

    def __init__(self, *, seed: str, of: Mapping[str, Any]) -> None:
        self._layer = import_string(of["BACKEND"])(**of.get("CONFIG", {}))
        self._random = random.Random(seed)
        self._late: list[tuple[str, dict[str, Any]]] = []  # goes out after whatever comes next

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        chance = self._random.random()
        if chance < DROPPED:
            return
        if chance < DROPPED + REORDERED and not self._late:
            self._late.append((group, message))
            return
        await self._layer.group_send(group, message)
        if chance > 1 - DOUBLED:
            await self._layer.group_send(group, message)
        while self._late:
            await self._layer.group_send(*self._late.pop())
