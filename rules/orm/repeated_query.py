"""repeated-query."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.sql.statement import Statement
from ...analyzer.workload import Execution
from ..asked_for import COUNTED, NOT_AT_ONCE, asked_for, at_once, followers, why_right
from ..finding import Fact, Finding, LookedAt, Subject
from ..orm_rule import Claim, OrmRule, callers, sites, with_remedy
from ..recorded import Recorded, one_run, runs, unit_of
from ..rounds import rounds

MIN_REPEATS = 5
"""Repetitions of one statement with other values: fewer may be what the code means."""
MIN_GETS = 3
"""Of `Session.get`, which asks for one row by its key and can always be asked for many."""


class RepeatedQuery(OrmRule):
    """One line sends the same statement again and again, each time with other values.

    ## Why it is slow
    Each repetition costs a round trip. The values are known before the loop or come from a query before it: one statement
    with `IN`, `= ANY`, a join or GROUP BY asks for all of them. Relationships have nothing to do with it: this is about
    `Session.get`, queries written by hand, Core and plain SQL.

    Five repetitions in a row are spoken of, three of `Session.get`. Pages, chunks of an IN list, polling, row locks and reflection are left alone.

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
    for number in [1, 2, 3, 4, 5, 6]:
        print(session.get(Author, number))
    ```

    ## Good
    ```python
    print(session.scalars(select(Author).where(Author.id.in_([1, 2, 3, 4, 5, 6]))).all())
    ```
    """

    code = "ORM003"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Statements that the ORM says nothing about, by the loop that sends them; loops that send several in turn are another
        rule's."""
        recorded.reserve(one for found in rounds(recorded) if found.whole for one in found.executions)
        loops: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
        for execution in recorded.executions:
            if recorded.free(execution) and asked_for(recorded, execution) is not None:
                loops[unit_of(execution), execution.fingerprint, recorded.loop(execution)].append(execution)
        places: defaultdict[tuple[object, ...], list[list[Execution]]] = defaultdict(list)
        for (_, *loop), executions in loops.items():
            for run in runs(executions, one_transaction=not one_run(executions[0])):
                if len(run) >= (MIN_GETS if _is_get(run[0]) else MIN_REPEATS) and _values_differ(run):
                    places[tuple(loop)].append(run)
        for found in places.values():
            yield self._claim(recorded, found)

    def _claim(self, recorded: Recorded, found: Sequence[list[Execution]]) -> Claim:
        worst = max(found, key=len)
        executions = [one for run in found for one in run]
        statement = recorded.statement(worst[0])
        assert statement is not None
        reason = why_right(statement, recorded.groups[worst[0].fingerprint].text, worst)
        if reason is not None:
            place = worst[0].call_site
            where = f"{place.file}:{place.function}" if place is not None else ""
            return Claim(
                LookedAt(self.name, Subject(worst[0].fingerprint, None, (), f"repeated@{where}"), reason), executions
            )
        loads = followers(recorded, executions)
        return Claim(self._finding(statement, found, worst, executions, loads), [*executions, *loads])

    def _finding(
        self, statement: Statement, found: Sequence[list[Execution]], worst: Sequence[Execution],
        executions: Sequence[Execution], loads: Sequence[Execution],
    ) -> Finding:  # fmt: skip
        count = len(worst)
        codes = tuple(at_once(statement, worst, loads))
        would_do = " where 1 would do" if codes else ""
        call = "Session.get is called" if _is_get(worst[0]) else "One statement is sent"
        finding = self.finding(
            [*executions, *loads], worst[0].call_site, "repeated",
            f"{call} {count} times in a row from one line, each time with other values: {count} queries{would_do}.",
            (
                Fact("queries in the worst case", count, "queries"),
                Fact("queries in all", len(executions), "queries"),
                *((Fact("loads of what they return", len(loads), "queries"),) if loads else ()),
                Fact("sent at", sites(executions)),
                *callers(executions),
            ),
            worst=count, fingerprint=worst[0].fingerprint,
        )  # fmt: skip
        if not codes:
            return with_remedy(
                finding, *NOT_AT_ONCE, (), before=None, after=None, saves_ms=None, kind="sql-rewrite", how=COUNTED
            )
        total = finding.at_stake_ms or 0.0
        mean = total / (len(executions) + len(loads))
        return with_remedy(
            finding, "Ask for all rows in one query",
            "The values are collected first and asked for together; the rows are then told apart by their key.",
            codes, before=count, after=1,
            saves_ms=total - mean * len(found), kind="sql-rewrite",
        )  # fmt: skip


def _is_get(execution: Execution) -> bool:
    return execution.orm is not None and execution.orm.kind == "get"


def _values_differ(run: Sequence[Execution]) -> bool:
    """Whether it asks for other values each time; not when it repeats itself, which is another rule's."""
    values = {one.parameters for one in run}
    return None in values or len(values) > len(run) / 2
