"""The fixture `queries`: assertions about the statements of a test, which name the guilty lines when they fail."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..analyzer.record.scope import whole_process
from ..analyzer.record.statement_count import CountedStatement, StatementCount, described
from ..reports.numbers import plural


class Queries:
    """The statements that the test has sent so far, or those of a block inside it."""

    def __init__(self, count: StatementCount) -> None:
        self._count = count

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
        """Start anew, as after preparing data."""
        self._count.reset()

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
