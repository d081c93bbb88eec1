"""The fixture `queries`: assertions about the statements of a test, which name the guilty lines when they fail."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..analyzer.record.scope import whole_process
from ..analyzer.record.statement_count import CountedStatement, StatementCount, described
from ..reports.numbers import plural


class Queries:
    """The statements that the test has sent so far, or those of a block inside it."""

    def __init__(self, count: StatementCount) -> None:
        self._whole = count
        self._since: StatementCount | None = None

    @property
    def count(self) -> int:
        """Statements sent."""
        return self._count.queries

    @property
    def milliseconds(self) -> float:
        """Time they took in the database and on the way to it."""
        return self._count.milliseconds

    @property
    def statements(self) -> list[CountedStatement]:
        """Every distinct statement with its calls and places, most calls first."""
        return self._count.most()

    @property
    def duplicates(self) -> int:
        """Statements that repeated an earlier one with the same values."""
        return self._count.duplicates

    def reset(self) -> None:
        """Start anew, as after preparing data. The test's markers and its budget still see all that it has sent."""
        if self._count is self._since:
            self._since.reset()
            return
        self._since = StatementCount(self._whole.name, self._whole.kind)
        # Around the test's own scope: it counts the same statements from here on, and none belongs to it.
        self._since.outer, self._whole.outer = self._whole.outer, self._since

    @contextmanager
    def block(self, name: str = "block") -> Iterator["Queries"]:
        """The statements of the block alone, whatever thread or task sends them."""
        with StatementCount(name) as count, whole_process(count):
            yield Queries(count)

    def assert_count(self, expected: int) -> None:
        """Exactly so many."""
        __tracebackhide__ = True
        if self.count != expected:
            raise AssertionError(
                f"{plural(self.count, 'query', 'queries')} instead of {expected}:\n{described(self.statements)}"
            )

    def assert_at_most(self, limit: int) -> None:
        """So many or fewer."""
        __tracebackhide__ = True
        self.assert_within(limit, str(limit))

    def assert_within(self, limit: int, named: str) -> None:
        """So many or fewer. named: what the limit is called."""
        __tracebackhide__ = True
        if self.count > limit:
            raise AssertionError(
                f"{plural(self.count, 'query', 'queries')}, more than {named}:\n{described(self.statements)}"
            )

    def assert_duplicates_at_most(self, limit: int) -> None:
        """So many or fewer that repeat an earlier statement with its values."""
        __tracebackhide__ = True
        if self.duplicates > limit:
            repeated = [one for one in self.statements if one.duplicates]
            raise AssertionError(f"{self.duplicates} duplicate queries, more than {limit}:\n{described(repeated)}")

    @property
    def _count(self) -> StatementCount:
        # The body begins a count of its own: what a fixture has reset before is not attached to it.
        return self._since if self._since is not None and self._since is self._whole.outer else self._whole
