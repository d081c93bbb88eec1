"""What a scenario is."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Run = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A function with its label. rule: expected of the faulty one; its clean twin must be silent under every rule.

    shape: for missing-index, the shape of the index expected.
    """

    rule: str
    run: Run
    faulty: bool
    shape: str = ""
    times: int = 1

    @property
    def name(self) -> str:
        """The function's name, which findings carry as their place."""
        return self.run.__name__

    @property
    def is_async(self) -> bool:
        """Whether it takes an AsyncSession."""
        return inspect.iscoroutinefunction(self.run)


def pair(rule: str, faulty: Run, clean: Run, shape: str = "", times: int = 1) -> tuple[Scenario, Scenario]:
    """A fault and its clean twin."""
    return Scenario(rule, faulty, True, shape, times), Scenario(rule, clean, False, shape, times)
