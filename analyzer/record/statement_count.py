"""Counts the statements of a piece of code, kept one by one: what assertions about queries are made of."""

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .call_site import CallStack
from .recorder import Recorder
from .scope import scope, whole_process
from .values import encode_parameters

MAX_TEXTS = 10_000
"""Distinct statements that are told apart; later ones are only counted."""


@dataclass(slots=True)
class CountedStatement:
    """One statement's text (as the driver got it, values apart), how often it was sent, and from where.

    places: `file:line in function` with the number of calls. same_values: number of calls by a digest of the bound values.
    relationship: the ORM relationship that was loaded lazily, such as `Author.books`.
    """

    text: str
    calls: int = 0
    milliseconds: float = 0.0
    places: Counter[str] = field(default_factory=Counter)
    same_values: Counter[int] = field(default_factory=Counter)
    relationship: str | None = None

    @property
    def duplicates(self) -> int:
        """Calls that repeated the values of an earlier one."""
        return self.calls - len(self.same_values)


class StatementCount(scope):
    """A scope that remembers the statements counted in it."""

    def __init__(self, name: str, kind: str = "block") -> None:
        super().__init__(name, kind)
        self.by_text: dict[str, CountedStatement] = {}
        self.collect = self._collect

    @property
    def duplicates(self) -> int:
        """Statements that repeated an earlier one with the same values."""
        return sum(one.duplicates for one in self.by_text.values())

    def most(self) -> list[CountedStatement]:
        """All statements, most calls first."""
        return sorted(self.by_text.values(), key=lambda one: (-one.calls, one.text))

    def reset(self) -> None:
        """Forget what was counted."""
        self.queries, self.milliseconds = 0, 0.0
        self.by_text.clear()

    def _collect(
        self, text: str, milliseconds: float, place: CallStack, relationship: str | None, parameters: object
    ) -> None:
        found = self.by_text.get(text)
        if found is None:
            if len(self.by_text) >= MAX_TEXTS:
                return
            found = self.by_text[text] = CountedStatement(text, relationship=relationship)
        found.calls += 1
        found.milliseconds += milliseconds
        file, line, function = place.sites[0] if place.sites else ("outside the application's code", 0, "")
        found.places[f"{file}:{line} in {function}" if function else file] += 1
        # A type that is not looked into has no text: each such call counts as another.
        values = encode_parameters(parameters)
        found.same_values[zlib.crc32(values.encode()) if values is not None else -found.calls] += 1


@contextmanager
def counting(name: str) -> Iterator[StatementCount]:
    """Count the statements of every engine while the block runs, whatever thread or task sends them."""
    recorder = Recorder(None)
    recorder.install()
    recorder.install_orm()
    with StatementCount(name) as count:
        before = whole_process(count)
        try:
            yield count
        finally:
            whole_process(before)
            recorder.remove()


def described(statements: list[CountedStatement], most: int = 10) -> str:
    """The statements for a failed assertion: calls, lazy load, text and places."""
    lines = []
    for one in statements[:most]:
        lazily = f" (lazy load of {one.relationship})" if one.relationship else ""
        repeated = f", {one.duplicates} with values sent before" if one.duplicates else ""
        lines.append(f"  {one.calls}×{lazily}{repeated}: {' '.join(one.text.split())[:300]}")
        lines += [f"      {calls}× at {place}" for place, calls in one.places.most_common(3)]
    if len(statements) > most:
        lines.append(f"  and {len(statements) - most} other statements")
    return "\n".join(lines)
