"""interleaved-n-plus-one."""

from collections.abc import Iterator, Sequence

from ...analyzer.query import SessionEvent
from ...analyzer.recommendation import Code
from ...analyzer.workload import Execution
from ..finding import Fact, Finding
from ..orm_rule import Claim, OrmRule, sites, with_remedy
from ..recorded import Recorded, loop_key, one_run
from .repeated_query import asked_for, why_right

MIN_ROUNDS = 3
MAX_STATEMENTS = 8
"""Statements of one round that are looked for."""


class InterleavedNPlusOne(OrmRule):
    """Several statements follow each other in the same order again and again, each round with other values.

    ## Why it is slow
    It is one loop that sends two or more queries for each item: the round trips are rounds times statements. Each of
    them can be asked once for all items before the loop.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        books: Mapped[list["Book"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    for number in (1, 2, 3, 4):
        print(session.scalars(select(Author.id).where(Author.id == number)).all())
        print(session.scalars(select(Book.id).where(Book.author_id == number)).all())
    ```

    ## Good
    ```python
    print(session.scalars(select(Author.id).where(Author.id.in_((1, 2, 3, 4)))).all())
    print(session.scalars(select(Book.id).where(Book.author_id.in_((1, 2, 3, 4)))).all())
    ```
    """

    code = "ORM005"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Each unit's free queries in their order; a write or the end of a transaction ends a stretch."""
        for steps in recorded.units.values():
            stretch: list[Execution] = []
            for step in steps:
                if isinstance(step, SessionEvent):
                    if step.kind in ("rollback", "commit") and not one_run(step):
                        yield from self._rounds(recorded, stretch)
                        stretch = []
                elif recorded.writes(step):
                    yield from self._rounds(recorded, stretch)
                    stretch = []
                elif recorded.free(step) and _counts(recorded, step):
                    stretch.append(step)
            yield from self._rounds(recorded, stretch)

    def _rounds(self, recorded: Recorded, stretch: Sequence[Execution]) -> Iterator[Claim]:
        keys = [(one.fingerprint, loop_key(one)) for one in stretch]
        start = 0
        while start + 2 * MIN_ROUNDS <= len(stretch):
            for length in range(2, MAX_STATEMENTS + 1):
                rounds = 1
                pattern = keys[start : start + length]
                while keys[start + rounds * length : start + (rounds + 1) * length] == pattern:
                    rounds += 1
                found = stretch[start : start + rounds * length]
                if rounds >= MIN_ROUNDS and len(set(pattern)) > 1 and _values_differ(found, length):
                    yield Claim(self._finding(found, length, rounds), found)
                    start += rounds * length - 1
                    break
            start += 1

    def _finding(self, found: Sequence[Execution], length: int, rounds: int) -> Finding:
        finding = self.finding(
            found, found[0].call_site, f"{length} statements",
            f"{length} statements are sent in turn {rounds} times, each round with other values: {len(found)} queries where "
            f"{length} would do.",
            (
                Fact("rounds", rounds),
                Fact("queries in all", len(found), "queries"),
                Fact("sent at", sites(found)),
            ),
            worst=len(found), fingerprint=found[0].fingerprint,
        )  # fmt: skip
        total = finding.at_stake_ms or 0.0
        return with_remedy(
            finding, "Ask for each of them once, before the loop",
            "The values of all rounds are collected first and asked for together.",
            [Code("In each of the statements", "sql", "… = ANY(:values)")],
            before=len(found), after=length, saves_ms=total - total / rounds, kind="sql-rewrite",
        )  # fmt: skip


def _counts(recorded: Recorded, execution: Execution) -> bool:
    statement = asked_for(recorded, execution)
    if statement is None:
        return False
    return why_right(statement, recorded.groups[execution.fingerprint].text, [execution]) is None


def _values_differ(found: Sequence[Execution], length: int) -> bool:
    """Whether each place of the round is asked with other values in most rounds."""
    for place in range(length):
        values = [one.parameters for one in found[place::length]]
        if None not in values and len(set(values)) <= len(values) / 2:
            return False
    return True
