"""Counts the statements of a piece of code, kept one by one: what assertions about queries are made of."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..sql.fingerprint import normalize
from .call_site import CallStack
from .recorder import Recorder
from .scope import scope, whole_process
from .values import encode_parameters

MAX_TEXTS = 10_000
"""Distinct statements that are told apart; later ones are only counted."""
SAVEPOINTS = ("savepoint ", "release savepoint ", "rollback to savepoint ")
"""How statements begin that are not counted: they are no queries."""
MAX_VALUES = 100_000
"""Distinct sets of values of one statement that are remembered; later ones count as not sent before."""


@dataclass(slots=True)
class CountedStatement:
    """One statement's text (literals out), how often it was sent, and from where.

    places: `file:line in function` with the number of calls. duplicates: calls that repeated the values of an earlier one.
    relationship: the ORM relationship that was loaded lazily, such as `Author.books`.
    """

    text: str
    calls: int = 0
    milliseconds: float = 0.0
    duplicates: int = 0
    places: Counter[str] = field(default_factory=Counter)
    relationship: str | None = None
    _values: set[int] = field(default_factory=set)

    def add(self, sent: str, milliseconds: float, place: CallStack, parameters: object) -> None:
        """One more call. sent: the text as the driver got it."""
        self.calls += 1
        self.milliseconds += milliseconds
        self.places[place.place] += 1
        values = encode_parameters(parameters) if parameters else ""
        if values is None:
            return  # Of a type that is not looked into, or too many to keep: taken to be others than before.
        key = hash((sent, values))
        if key in self._values:
            self.duplicates += 1
        elif len(self._values) < MAX_VALUES:
            self._values.add(key)


class StatementCount(scope):
    """A scope that remembers the statements counted in it."""

    def __init__(self, name: str, kind: str = "block") -> None:
        super().__init__(name, kind)
        self.by_text: dict[str, CountedStatement] = {}
        self._by_sent: dict[str, CountedStatement] = {}
        self.collect = self._collect

    def begin(self, outer: scope | None) -> None:
        """Start counting anew, inside `outer`."""
        self.reset()
        super().begin(outer)

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
        self._by_sent.clear()

    def _collect(
        self, text: str, milliseconds: float, place: CallStack, relationship: str | None, parameters: object
    ) -> None:
        found = self._by_sent.get(text) or self._counted(text, milliseconds, relationship)
        if found is not None:
            found.add(text, milliseconds, place, parameters)

    def _counted(self, text: str, milliseconds: float, relationship: str | None) -> CountedStatement | None:
        """Where a text is counted that was not sent before."""
        plain = normalize(text)
        if plain.startswith(SAVEPOINTS):
            # A test's own transaction around the code turns the code's commits into these.
            self.queries -= 1
            self.milliseconds -= milliseconds
            return None
        found = self.by_text.get(plain)
        if found is None:
            if len(self.by_text) >= MAX_TEXTS:
                return None
            found = self.by_text[plain] = CountedStatement(plain, relationship=relationship)
        if len(self._by_sent) < MAX_TEXTS:
            self._by_sent[text] = found
        return found


@contextmanager
def counting(name: str) -> Iterator[StatementCount]:
    """Count the statements of every engine while the block runs, whatever thread or task sends them."""
    recorder = Recorder(None)
    recorder.install()
    recorder.install_orm()
    try:
        with StatementCount(name) as count, whole_process(count):
            yield count
    finally:
        recorder.remove()


def described(statements: Iterable[CountedStatement], most: int = 10) -> str:
    """The statements for a failed assertion: calls, lazy load, text and places."""
    statements = list(statements)
    lines = []
    for one in statements[:most]:
        lazily = f" (lazy load of {one.relationship})" if one.relationship else ""
        repeated = f", {one.duplicates} with values sent before" if one.duplicates else ""
        lines.append(f"  {one.calls}×{lazily}{repeated}: {one.text[:300]}")
        lines += [f"      {calls}× at {place}" for place, calls in one.places.most_common(3)]
    if len(statements) > most:
        lines.append(f"  and {len(statements) - most} other statements")
    return "\n".join(lines)
