"""Labels: what is expected of a scenario. The place is the line of the function that ends with `# origin`."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Run = TypeVar("Run", bound=Callable[[Any], Any])


@dataclass(frozen=True, slots=True)
class Scenario:
    """rule: the one that must speak, None where all must be silent. option: the loader option that the recommendation must
    name, which the test also executes; "" where the remedy is none. root: class it is added to. deep: reads are counted.
    marked: recorded inside a named scope; commits: what it commits is undone by filling the tables anew.
    """

    run: Callable[[Any], Any]
    rule: str | None
    option: str
    root: str
    deep: bool
    marked: bool
    commits: bool

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.run)

    @property
    def origin(self) -> int | None:
        """Number of the marked line."""
        lines, first = inspect.getsourcelines(self.run)
        return next((first + n for n, line in enumerate(lines) if line.rstrip().endswith("# origin")), None)


SCENARIOS: list[Scenario] = []
UNDO = (
    "DELETE FROM entries WHERE id >= 1000; DELETE FROM jobs WHERE id >= 1000; UPDATE jobs SET state = 'open'; "
    "UPDATE authors SET country = ''"
)
"""Takes back what the scenarios that commit have committed."""


def faulty(
    rule: str,
    option: str = "",
    *,
    root: str = "",
    deep: bool = False,
    marked: bool = True,
    commits: bool = False,
) -> Callable[[Run], Run]:
    """This function commits the sin that the rule names, and no other."""

    def add(run: Run) -> Run:
        name = root or [*option.replace("(", " ").replace(".", " ").split(), "", ""][1]
        SCENARIOS.append(Scenario(run, rule, option, name, deep, marked, commits))
        return run

    return add


def clean(*, deep: bool = False, marked: bool = True, commits: bool = False) -> Callable[[Run], Run]:
    """No rule may say anything of this function."""

    def add(run: Run) -> Run:
        SCENARIOS.append(Scenario(run, None, "", "", deep, marked, commits))
        return run

    return add
