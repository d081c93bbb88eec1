"""duplicate-query."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median

from ...analyzer.query import OrmLoad, SessionEvent
from ...analyzer.recommendation import Code
from ...analyzer.sql.cartesian import KEYS
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import Execution
from ..asked_for import asked_for
from ..awaits import awaits
from ..finding import Fact, Finding, LookedAt, Subject
from ..orm_rule import Claim, OrmRule, callers, sites, with_remedy
from ..recorded import Recorded, loop_key
from ..row_use import by_legacy_query, made_unique
from ..source import called_on, source_line

MIN_REPEATS = 3
MIN_PLACES = 2
"""From different lines of one marked unit of work, two are enough."""
MIN_PAUSE_S = 0.05
"""Between executions of one line that polls; a loop that computes pauses less."""
_ONCE = "once, before the loop or the calls that need it"
_VOLATILE = re.compile(
    r"\b(nextval|currval|lastval|setval|random|clock_timestamp|statement_timestamp|timeofday|gen_random_uuid|pg_\w+)\s*\(",
    re.IGNORECASE,
)


class DuplicateQuery(OrmRule):
    """The same statement is sent again with the same values, and nothing was written in between.

    ## Why it is slow
    It gives the same rows again. Each repetition costs a round trip and, in the ORM, the work of matching rows with
    instances that are there already. The result can be kept and passed on, or read by `Session.get`, which asks the
    session first.

    Three repetitions are spoken of, or two from different lines of one marked unit of work. Polling, reading again after a write, and repetitions in different transactions of an unmarked program are left alone.

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
    for number in range(4):
        first = session.scalars(select(Author).where(Author.id == 1)).one()
        print(number, first.id)
    ```

    ## Good
    ```python
    first = session.scalars(select(Author).where(Author.id == 1)).one()
    for number in range(4):
        print(number, first.id)
    ```
    """

    code = "ORM004"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Unit by unit; a write, or a rollback of one, makes all forgotten."""
        found: defaultdict[str, list[list[Execution]]] = defaultdict(list)
        for steps in recorded.units.values():
            alike: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
            written = False
            for step in steps:
                if isinstance(step, SessionEvent):
                    if written and step.kind in ("rollback", "rollback savepoint"):
                        _keep(found, alike)
                    written = written and step.kind not in ("rollback", "commit")
                elif recorded.writes(step):
                    written = True
                    _keep(found, alike)
                elif self._counts(recorded, step):
                    transaction = None if step.unit is not None else step.transaction
                    alike[step.fingerprint, step.parameters, transaction].append(step)
            _keep(found, alike)
        for runs in found.values():
            executions = [one for run in runs for one in run]
            waiting = next((run for run in runs if _polls(run)), None)
            if waiting is not None:
                reason = "it waits between repetitions: it polls for a change"
                yield Claim(
                    LookedAt(self.name, Subject(waiting[0].fingerprint, None, (), "duplicate"), reason), executions
                )
            else:
                yield Claim(self._finding(recorded, runs, executions), executions)

    def _counts(self, recorded: Recorded, execution: Execution) -> bool:
        if execution.parameters is None or not recorded.free(execution) or asked_for(recorded, execution) is None:
            return False
        if execution.orm is not None and "populate_existing" in execution.orm.options:
            # It is asked again on purpose: to see what others have written.
            return False
        return not _volatile(recorded.groups[execution.fingerprint].text)

    def _finding(self, recorded: Recorded, runs: Sequence[list[Execution]], executions: Sequence[Execution]) -> Finding:
        worst = max(runs, key=len)
        count = len(worst)
        places = len({one.call_site for one in worst})
        where = f"from {places} places" if places > 1 else "from one line"
        finding = self.finding(
            executions, worst[0].call_site, "duplicate",
            f"The same statement with the same values is sent {count} times {where}, with nothing written in between.",
            (
                Fact("queries in the worst case", count, "queries"),
                Fact("queries in all", len(executions), "queries"),
                Fact("sent at", sites(executions)),
                *callers(executions),
            ),
            worst=count, at_stake_ms=sum(one.duration_ms for run in runs for one in run[1:]),
        )  # fmt: skip
        load = worst[0].orm
        waits = "await " if awaits(worst[0]) else ""
        place = worst[0].call_site
        line = source_line(place) if place is not None else ""
        session = called_on(place, ("get", "execute", "exec", "scalars", "scalar", "query"), "session")
        options = ", options=[…]" if load is not None and load.options else ""
        if load is not None and load.kind == "get":
            found = f"{waits}{session}.get({load.entity or '…'}, key{options})"
            text = f"found = {found}  # keep it: the session forgets instances that nobody holds"
        elif (
            load is not None
            and load.entity is not None
            and not load.columns
            and _by_key(recorded.statement(worst[0]), worst[0], load)
        ):
            text = f"{waits}{session}.get({load.entity}, key{options})  # asks the session before the database"
        elif place is not None and by_legacy_query(place):
            counted = ".count()" in line
            text = f"{'value' if counted else 'rows'} = query.{'count' if counted else 'all'}()  # {_ONCE}"
        elif f"{session}.scalar(" in line:
            text = f"value = {waits}{session}.scalar(query)  # {_ONCE}"
        else:
            method = next((one for one in ("scalars", "exec") if f"{session}.{one}(" in line), "execute")
            sent = f"{waits}{session}.{method}(query)"
            rows = f"({sent})" if waits else sent
            unique = ".unique()" if place is not None and made_unique(place) else ""
            text = f"rows = {rows}{unique}.all()  # {_ONCE}"
        first = f"At the first of them, {sites(worst[:1])}" if places > 1 else "At the first of them"
        return with_remedy(
            finding, "Ask once and pass the result on",
            "The result cannot have changed between the repetitions."
            if len({(one.process, one.transaction) for one in worst}) == 1
            else "Nothing recorded has changed the result between the repetitions.",
            [Code(first, "python", text)],
            before=count, after=1, saves_ms=finding.at_stake_ms, kind="sql-rewrite",
        )  # fmt: skip


def _by_key(statement: Statement | None, execution: Execution, load: OrmLoad) -> bool:
    """Whether it asks for one row of one table by its key alone, as `Session.get` does."""
    if statement is None or statement.aggregated or len(statement.scans) != 1 or (execution.rows or 0) > 1:
        return False
    scan = statement.scans[0]
    columns = [(one.column, one.kind) for one in scan.predicates]
    if scan.or_predicates or len(columns) != 1 or columns[0][1] != "equality" or scan.predicates[0].cast:
        return False
    name = columns[0][0]
    return name in KEYS and load.attribute(name) in KEYS


def _keep(
    found: defaultdict[str, list[list[Execution]]], alike: defaultdict[tuple[object, ...], list[Execution]]
) -> None:
    """Take over what has been repeated, and begin anew."""
    for executions in alike.values():
        marked = executions[0].unit is not None
        enough = MIN_PLACES if marked and len({loop_key(one) for one in executions}) > 1 else MIN_REPEATS
        if len(executions) >= enough:
            found[executions[0].fingerprint].append(executions)
    alike.clear()


def _polls(run: Sequence[Execution]) -> bool:
    if len({loop_key(one) for one in run}) > 1:
        return False
    pauses = [after.started_at - before.started_at - before.duration_ms / 1000 for before, after in pairwise(run)]
    return median(pauses) >= MIN_PAUSE_S


@lru_cache(maxsize=4096)
def _volatile(text: str) -> bool:
    return _VOLATILE.search(text) is not None
