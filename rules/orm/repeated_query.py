"""repeated-query."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.recommendation import Code
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import Execution
from ..finding import Fact, Finding, LookedAt, Subject
from ..loader_option import loader_option
from ..orm_rule import Claim, OrmRule, callers, sites, with_remedy
from ..recorded import Recorded, asks_catalog, loop_key, one_run, runs, unit_of

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
        """Statements that the ORM says nothing about, by the loop that sends them."""
        loops: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
        for execution in recorded.executions:
            if recorded.free(execution) and asked_for(recorded, execution) is not None:
                loops[unit_of(execution), execution.fingerprint, loop_key(execution)].append(execution)
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
        followers = _followers(recorded, executions)
        return Claim(self._finding(statement, found, worst, executions, followers), [*executions, *followers])

    def _finding(
        self, statement: Statement, found: Sequence[list[Execution]], worst: Sequence[Execution],
        executions: Sequence[Execution], followers: Sequence[Execution],
    ) -> Finding:  # fmt: skip
        count = len(worst)
        call = "Session.get is called" if _is_get(worst[0]) else "One statement is sent"
        finding = self.finding(
            [*executions, *followers], worst[0].call_site, "repeated",
            f"{call} {count} times in a row from one line, each time with other values: {count} queries where 1 would do.",
            (
                Fact("queries in the worst case", count, "queries"),
                Fact("queries in all", len(executions), "queries"),
                *((Fact("loads of what they return", len(followers), "queries"),) if followers else ()),
                Fact("sent at", sites(executions)),
                *callers(executions),
            ),
            worst=count, fingerprint=worst[0].fingerprint,
        )  # fmt: skip
        total = finding.at_stake_ms or 0.0
        mean = total / (len(executions) + len(followers))
        return with_remedy(
            finding, "Ask for all rows in one query",
            "The values are collected first and asked for together; the rows are then told apart by their key.",
            tuple(_codes(statement, worst, followers)), before=count, after=1,
            saves_ms=total - mean * len(found), kind="sql-rewrite",
        )  # fmt: skip


def asked_for(recorded: Recorded, execution: Execution) -> Statement | None:
    """The statement of an execution that application code asked for by itself: a SELECT of tables of its own, without locks."""
    load = execution.orm
    if execution.executemany or execution.call_site is None or (load is not None and load.kind not in ("query", "get")):
        return None
    statement = recorded.statement(execution)
    if statement is None or statement.kind != "SELECT" or not statement.scans or asks_catalog(statement):
        return None
    return None if any(scan.locks for scan in statement.scans) else statement


def _is_get(execution: Execution) -> bool:
    return execution.orm is not None and execution.orm.kind == "get"


def _values_differ(run: Sequence[Execution]) -> bool:
    """Whether it asks for other values each time; not when it repeats itself, which is another rule's."""
    values = {one.parameters for one in run}
    return None in values or len(values) > len(run) / 2


def why_right(statement: Statement, text: str, run: Sequence[Execution]) -> str | None:
    """Why a repetition of this statement is how it should be; None when nothing says so."""
    predicates = [one for scan in statement.scans for one in scan.predicates if not one.join]
    equal = any(one.kind == "equality" and one.constant is None for one in predicates)
    listed = [one for one in predicates if one.kind == "in"]
    if listed and (not equal or any((one.column or "").endswith("id") for one in listed)):
        return "it asks for a list of values at a time: work in chunks, as large jobs should"
    ranged = any(one.kind == "range" for one in predicates)
    many = max((one.rows or 0 for one in run), default=0) > 1
    if statement.limited and many and (ranged or re.search(r"\boffset\b", text, re.IGNORECASE)):
        return "it pages through a result, as large jobs should"
    if ranged and not equal:
        return "it takes one range after the other: work in chunks, as large jobs should"
    return None


def _followers(recorded: Recorded, executions: Sequence[Execution]) -> list[Execution]:
    """What the ORM loads of the instances that the repeated queries return, one by one as they come."""
    own = {(one.process, one.sequence) for one in executions}
    return [
        one
        for one in recorded.loads("lazy", "column")
        if one.orm is not None and (one.process, one.orm.origin_sequence) in own
    ]


def _codes(statement: Statement, run: Sequence[Execution], followers: Sequence[Execution]) -> Iterator[Code]:
    scan = next((scan for scan in statement.scans if any(one.kind == "equality" for one in scan.predicates)), None)
    equal = [one for one in scan.predicates if one.kind == "equality" and not one.join] if scan is not None else []
    column = next((one.expression for one in equal if one.constant is None), None)
    if column is None:
        return
    load = run[0].orm
    if load is not None and load.entity is not None and not statement.aggregated and column.isidentifier():
        text = f"select({load.entity}).where({load.entity}.{column}.in_(values))"
        options = _options(followers)
        yield Code("One query for all values", "python", text + (f".options({options})" if options else ""))
    elif statement.aggregated:
        yield Code(
            "One query for all values", "sql", f"SELECT {column}, …\nWHERE {column} = ANY(:values)\nGROUP BY {column}"
        )
    else:
        yield Code("One query for all values", "sql", f"WHERE {column} = ANY(:values)")


def _options(followers: Sequence[Execution]) -> str:
    """Options for what was loaded of each instance besides."""
    paths = {one.orm.path: one.orm for one in followers if one.orm is not None and one.orm.kind == "lazy"}
    longest = [
        path for path in sorted(paths) if not any(other[: len(path)] == path for other in paths if other != path)
    ]
    return ", ".join(loader_option(path, paths[path].to_many, [paths[path]], None, "query").text for path in longest)
