"""write-in-loop."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.query import SessionEvent
from ...analyzer.recommendation import Code
from ...analyzer.workload import Execution
from ..awaits import awaits
from ..finding import Fact, Finding, LookedAt, Subject
from ..orm_rule import Claim, OrmRule, sites, with_remedy
from ..recorded import WRITES, Recorded, Step, loop_key, runs
from ..source import called_on

MIN_WRITES = 5
"""Writes of one row each from one line; a flush counts as one, however many rows it writes."""
_MORE = re.compile(r"\b(on\s+conflict|returning|select)\b", re.IGNORECASE)


class WriteInLoop(OrmRule):
    """One line writes row after row of the same table, each by a statement or a flush of its own.

    ## Why it is slow
    Each row costs a round trip. Given together, rows are inserted by one statement with many values or by one `executemany`,
    and the unit of work gathers by itself what one flush writes.

    Statements that change many rows each, savepoints around single rows and writes that are committed one by one (see
    commit-in-loop) are left alone.

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
    from sqlalchemy import insert

    for number in range(100, 108):
        session.execute(insert(Author).values(id=number))
    ```

    ## Good
    ```python
    from sqlalchemy import insert

    session.execute(insert(Author), [{"id": number} for number in range(100, 108)])
    ```
    """

    code = "ORM006"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Single-row writes by the loop that sends them, inside one transaction."""
        places: defaultdict[tuple[object, ...], list[list[Execution]]] = defaultdict(list)
        for steps in recorded.units.values():
            loops: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
            for step in steps:
                if isinstance(step, Execution) and recorded.free(step) and (what := _what(recorded, step)) is not None:
                    loops[what, loop_key(step)].append(step)
            for loop, executions in loops.items():
                for run in runs(executions):
                    if _times(run) >= MIN_WRITES:
                        if reason := _why_right(recorded, steps, run):
                            subject = Subject(run[0].fingerprint, None, (), f"writes@{sites(run, 1)}")
                            yield Claim(LookedAt(self.name, subject, reason), run)
                        else:
                            places[loop].append(run)
        for found in places.values():
            executions = [one for run in found for one in run]
            yield Claim(self._finding(recorded, found, executions), executions)

    def _finding(
        self, recorded: Recorded, found: Sequence[list[Execution]], executions: Sequence[Execution]
    ) -> Finding:
        worst = max(found, key=_times)
        times = _times(worst)
        flushed = worst[0].orm is not None
        statement = recorded.statement(worst[0])
        kind = statement.kind if statement is not None else "write"
        how = "flushed" if flushed else "sent"
        table = statement.tables[0] if statement is not None and statement.tables else "the table"
        finding = self.finding(
            executions, worst[0].call_site, f"{kind} {table}",
            f"{kind} of {table} is {how} {times} times from one line, for one row each: one {'flush' if flushed else 'statement'} "
            "could write them together.",
            (
                Fact("writes in the worst case", times, "queries"),
                Fact("statements in all", len(executions), "queries"),
                Fact("sent at", sites(executions)),
            ),
            worst=times, fingerprint=worst[0].fingerprint,
        )  # fmt: skip
        waits = "await " if awaits(worst[0]) else ""
        place = worst[0].call_site
        if flushed:
            session = called_on(place, ("flush",), "session")
            added = f"{session}.add_all(instances)\n" if kind == "INSERT" else ""
            text = f"{added}{waits}{session}.flush()  # once, after the loop"
        elif kind == "INSERT":
            execute = f"{waits}{called_on(place, ('execute',), 'connection')}.execute"
            # What is done at a conflict, and what is given back, stands in the statement itself.
            inserted = "statement" if _MORE.search(recorded.groups[worst[0].fingerprint].text) else "insert(table)"
            text = f"{execute}({inserted}, rows)  # a list of dictionaries: one executemany"
        else:
            # A session takes no list for an UPDATE with conditions, nor for a DELETE.
            text = (
                f"{waits}connection.execute(statement, rows)  # bindparam() in the statement and a list of dictionaries"
            )
        total = finding.at_stake_ms or 0.0
        return with_remedy(
            finding, f"Write the rows of {table} together",
            "The rows are gathered in the loop and written after it."
            + (" New keys are known only then: what needs one is linked by a relationship, or made after it." if flushed and kind == "INSERT" else ""),
            [Code("After the loop", "python", text)], before=times, after=1,
            saves_ms=total - total * len(found) / max(1, sum(map(_times, found))),
        )  # fmt: skip


def _what(recorded: Recorded, execution: Execution) -> object | None:
    """What tells one kind of write from another: the statement, or that it is a flush. None: not a write of one row."""
    load = execution.orm
    statement = recorded.statement(execution)
    if statement is None or statement.kind not in WRITES or execution.executemany or (execution.rows or 0) > 1:
        return None
    if load is None:
        return execution.fingerprint
    return "flush" if load.kind == "flush" and load.flush is not None else None


def _times(run: Sequence[Execution]) -> int:
    """Writes, or flushes."""
    flushes = {one.orm.flush for one in run if one.orm is not None}
    return len(flushes) or len(run)


def _why_right(recorded: Recorded, steps: Sequence[Step], run: Sequence[Execution]) -> str | None:
    """Why rows are written one by one on purpose; None when nothing says so."""
    between = [step for step in steps if run[0].sequence < step.sequence < run[-1].sequence]
    enough = _times(run) - 1
    if sum(1 for step in between if isinstance(step, SessionEvent) and step.kind == "savepoint") >= enough:
        return "each row has a savepoint: one that fails leaves the rest"
    statements = [recorded.statement(step) for step in between if isinstance(step, Execution)]
    locks = [one for one in statements if one is not None and any(scan.locks for scan in one.scans)]
    return "each row is locked before: a worker takes its jobs" if len(locks) >= enough else None
