"""The settings of Signalbox with rates that no caller reaches, for tests that call much more than anybody would."""

from typing import ClassVar

from django.apps import AppConfig


class UnhurriedConfig(AppConfig):
    name = "tests.support.unhurried"
    label = "signalbox_unhurried"
    PER_SECOND: ClassVar[float] = 1e6

    def ready(self) -> None:
        from core import rates

        for rate in (rates.CALLS, rates.WIDGETS):
            rate.per_second = rate.burst = self.PER_SECOND
