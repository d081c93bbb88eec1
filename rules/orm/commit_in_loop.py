"""commit-in-loop."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent

from ...analyzer.query import CallSite, SessionEvent
from ...analyzer.recommendation import Code
from ...analyzer.workload import Execution
from ..awaits import awaits
from ..finding import Fact, Finding
from ..orm_rule import Claim, OrmRule, with_remedy
from ..recorded import MAX_GAP_S, Recorded, Step, loop_key, one_run
from ..source import called_on, source_line, source_statement

MIN_COMMITS = 5
FEW_ROWS = 3
"""Rows written by one of the transactions; what commits more at a time works in batches."""


class CommitInLoop(OrmRule):
    """One line commits again and again, a row or two at a time.

    ## Why it is slow
    Every commit waits until the server has written its log to disk, often longer than the statement itself took. It also
    makes all instances of the session forget what they know, so that they are read again. One commit after the loop, or one
    for each batch, waits once.

    Batches, and workers that lock one job, do it and commit, are left alone, as are the commits of different requests.

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
    from queryproof import scope

    with scope("import"):
        for number in range(100, 108):
            session.add(Author(id=number))
            session.commit()
    ```

    ## Good
    ```python
    from queryproof import scope

    with scope("import"):
        for number in range(100, 108):
            session.add(Author(id=number))
        session.commit()
    ```
    """

    code = "ORM011"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Commits by the loop they are in."""
        places: defaultdict[tuple[object, ...], list[list[_Transaction]]] = defaultdict(list)
        for steps in recorded.units.values():
            loops: defaultdict[tuple[object, ...], list[_Transaction]] = defaultdict(list)
            for transaction in _transactions(recorded, steps):
                if transaction.small and one_run(transaction.commit):
                    loops[loop_key(transaction.commit)].append(transaction)
            for loop, found in loops.items():
                for run in _runs(found):
                    if len(run) >= MIN_COMMITS:
                        places[loop].append(run)
        for runs in places.values():
            claimed = [one for run in runs for transaction in run for one in transaction.executions]
            needless = [one for one in claimed if recorded.after_commit(one) is not None]
            writes = [one for one in claimed if recorded.writes(one)]
            yield Claim(self._finding(runs, writes, needless), [*writes, *needless])

    def _finding(
        self, runs: Sequence[list["_Transaction"]], writes: Sequence[Execution], needless: Sequence[Execution]
    ) -> Finding:
        worst = max(runs, key=len)
        count = len(worst)
        renewed = f", and instances are read again {len(needless)} times" if needless else ""
        finding = self.finding(
            writes, worst[0].commit.call_site, "commits",
            f"One line commits {count} times in a row, a row or two at a time: the server waits for its disk each time{renewed}.",
            (
                Fact("commits in the worst case", count),
                Fact("commits in all", sum(map(len, runs))),
                Fact("statements in them", len(writes), "queries"),
            ),
            worst=count, at_stake_ms=sum(one.duration_ms for one in needless),
        )  # fmt: skip
        text = _in_batches(worst[0].commit.call_site, awaited=awaits(writes[0]))
        # The statements themselves stay: only what commits have made necessary goes.
        before, after = (len(writes) + len(needless), len(writes)) if needless else (None, None)
        return with_remedy(
            finding, "Commit after the loop, or once for each batch",
            "The time of a commit is not recorded, so what it saves is not counted here.",
            [Code("A commit for each batch", "python", text)], before=before, after=after,
            saves_ms=finding.at_stake_ms if needless else None, how="commits and repeated reads counted in the recording",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Transaction:
    """What one commit has kept. small: few rows, and no lock that makes it a job of its own."""

    commit: SessionEvent
    executions: tuple[Execution, ...]
    small: bool


def _in_batches(place: CallSite | None, *, awaited: bool) -> str:
    """The loop with a commit for each batch: by the block that commits where one does, in which nothing else may."""
    line = source_line(place) if place is not None else ""
    header = re.match(r"(?:async )?with .*?\bbegin\(\)[^:]*:", line)
    if header is not None:
        return (
            f"for start in range(0, len(items), 1_000):\n    {header[0]}\n"
            "        for item in items[start : start + 1_000]:\n            …"
        )
    session = called_on(place, ("commit",), "session")
    commit = f"{'await ' if awaited else ''}{session}.commit()"
    text = f"for number, item in enumerate(items, 1):\n    …\n    if number % 1_000 == 0:\n        {commit}\n{commit}"
    # A session that is made in the loop would be closed before its batch is full.
    block = _opened_in_loop(place, session) if place is not None else None
    return text if block is None else f"{block}\n{indent(text, '    ')}"


def _opened_in_loop(place: CallSite, session: str) -> str | None:
    """The header of the block that opens the session anew in each round, where the source shows one."""
    found = source_statement(place)
    if found is None:
        return None
    node, around = found
    parents = {child: one for one in ast.walk(around) for child in ast.iter_child_nodes(one)}
    block: str | None = None
    above: ast.AST = node
    while above in parents and (above := parents[above]) is not around:
        if isinstance(above, ast.For | ast.AsyncFor | ast.While):
            return block
        if isinstance(above, ast.With | ast.AsyncWith):
            for item in above.items:
                if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == session:
                    block = f"{'async ' if isinstance(above, ast.AsyncWith) else ''}with {ast.unparse(item)}:"
    return None


def _transactions(recorded: Recorded, steps: Sequence[Step]) -> Iterator[_Transaction]:
    open_: defaultdict[tuple[str, int | None], list[Execution]] = defaultdict(list)
    for step in steps:
        key = (step.process, step.transaction)
        if isinstance(step, Execution):
            open_[key].append(step)
        elif step.kind == "commit" and step.transaction is not None:
            executions = open_.pop(key, [])
            rows = 0
            locks = False
            for one in executions:
                statement = recorded.statement(one)
                if recorded.writes(one):
                    rows += max(1, one.rows or 0) if not one.executemany else FEW_ROWS + 1
                locks |= statement is not None and any(scan.locks for scan in statement.scans)
            yield _Transaction(step, tuple(executions), 0 < rows <= FEW_ROWS and not locks)


def _runs(found: Sequence[_Transaction]) -> list[list[_Transaction]]:
    runs: list[list[_Transaction]] = []
    for one in found:
        last = runs[-1][-1].executions[-1] if runs else None
        if last is not None and one.executions[0].started_at - last.started_at <= MAX_GAP_S:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
