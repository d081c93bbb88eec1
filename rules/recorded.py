"""What was recorded, as the ORM rules look at it: in order, unit by unit, less what a rule has claimed already."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ..analyzer.query import SessionEvent
from ..analyzer.sql.statement import Statement
from ..analyzer.workload import Execution, QueryGroup
from .rule import Case

WRITES = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE"))
CATALOG_SCHEMAS = frozenset(("pg_catalog", "information_schema"))
MAX_GAP_S = 2.0
"""Seconds between two executions of one loop; what waits longer polls, or serves one request after the other."""

Step = Execution | SessionEvent
Key = tuple[str, int]


class Recorded:
    """The executions of a workload, each of which one rule at most speaks of.

    units: what belongs together, executions and ends of transactions in order: a request, test, task or named block where
    the application has marked one, else all that one thread or asyncio task has sent.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.executions = case.workload.executions
        self.groups: dict[str, QueryGroup] = {group.fingerprint: group for group in case.workload.groups}
        self._taken: set[Key] = set()
        self._reserved: set[Key] = set()
        self._by_key = {_key(one): one for one in self.executions}
        self.units = _units(self.executions, case.workload.events)
        self._after_commit: dict[Key, SessionEvent] | None = None
        self._own_queries: dict[str, Statement | None] = {}
        self._loops: dict[tuple[object, ...], int] = {}
        self._loops_by_stack: dict[int, int] = {}

    def statement(self, execution: Execution) -> Statement | None:
        """The parsed statement; None when its text could not be read."""
        found = self.case.statements.get(execution.fingerprint)
        return found if found is not None and found.problem is None else None

    def own_query(self, execution: Execution) -> Statement | None:
        """The statement where it is a SELECT of the application's own tables, without locks."""
        key = execution.fingerprint
        if key not in self._own_queries:
            found = self.statement(execution)
            own = found is not None and found.kind == "SELECT" and bool(found.scans) and not asks_catalog(found)
            locks = found is not None and any(scan.locks for scan in found.scans)
            self._own_queries[key] = found if own and not locks else None
        return self._own_queries[key]

    def loop(self, execution: Execution) -> int:
        """A number for `loop_key`, equal where that is: numbers are cheap to compare."""
        # Stacks are shared by their executions, which live as long as we do.
        number = self._loops_by_stack.get(id(execution.stack)) if execution.stack else None
        if number is None:
            number = self._loops.setdefault(loop_key(execution), len(self._loops))
            if execution.stack:
                self._loops_by_stack[id(execution.stack)] = number
        return number

    def writes(self, execution: Execution) -> bool:
        """Whether it may change rows; a text that cannot be read counts as one that does."""
        found = self.statement(execution)
        return found is None or found.kind != "SELECT"

    def free(self, execution: Execution, *, reserved: bool = False) -> bool:
        """Whether no rule has claimed it yet. reserved: count those as free that are kept for a later rule, which asks."""
        key = _key(execution)
        return key not in self._taken and (reserved or key not in self._reserved)

    def reserve(self, executions: Iterable[Execution]) -> None:
        """Keep these for a later rule."""
        self._reserved.update(map(_key, executions))

    def claim(self, executions: Iterable[Execution]) -> None:
        """From now on these are spoken of; no later rule does."""
        self._taken.update(map(_key, executions))

    def origin(self, execution: Execution) -> Execution | None:
        """The query that loaded the instance whose attribute was read, where it was recorded."""
        if execution.orm is None or execution.orm.origin_sequence is None:
            return None
        return self._by_key.get((execution.process, execution.orm.origin_sequence))

    def after_commit(self, execution: Execution) -> SessionEvent | None:
        """The commit that made an instance forget what it knew, when that is why this was loaded."""
        if self._after_commit is None:
            self._after_commit = {}
            for steps in self.units.values():
                self._after_commit.update(_after_commit(steps))
        return self._after_commit.get(_key(execution))

    def loads(self, *kinds: str) -> Iterator[Execution]:
        """Free executions of those kinds of ORM load."""
        for execution in self.executions:
            if execution.orm is not None and execution.orm.kind in kinds and self.free(execution):
                yield execution


def unit_of(step: Step) -> str:
    """Equal for what belongs to one unit of work."""
    if isinstance(step, Execution):
        return f"{step.process}/{step.unit.kind}/{step.unit.id}" if step.unit is not None else step.scope
    if step.scope is not None:
        return f"{step.process}/{step.scope.kind}/{step.scope.id}"
    return f"{step.process}/{step.thread}/{step.task or ''}"


def one_run(step: Step) -> bool:
    """Whether repetitions over several transactions belong to one piece of work: a marked unit, or a script from its top.
    Threads of a server without marked requests serve one after the other, which looks the same and is right."""
    marked = step.unit if isinstance(step, Execution) else step.scope
    return marked is not None or any(site.function == "<module>" for site in step.stack)


def loop_key(step: Step) -> tuple[object, ...]:
    """Equal for what one loop sends: the same line, called the same way. Levels of a recursion are one."""
    sites: list[object] = [step.stack[0]] if step.stack else [step.call_site]
    seen = {step.stack[0].function} if step.stack else set()
    for site in step.stack[1:3]:
        if site.function not in seen:
            sites.append(site)
            seen.add(site.function)
    return tuple(sites)


def runs(executions: Sequence[Execution], *, one_transaction: bool = True) -> list[list[Execution]]:
    """Stretches without a long pause, and within one transaction where asked for."""
    found: list[list[Execution]] = []
    for execution in executions:
        last = found[-1][-1] if found else None
        together = (
            last is not None
            and execution.started_at - last.started_at - last.duration_ms / 1000 <= MAX_GAP_S
            and (not one_transaction or execution.transaction == last.transaction)
        )
        if together:
            found[-1].append(execution)
        else:
            found.append([execution])
    return found


def asks_catalog(statement: Statement) -> bool:
    """Whether it reads the database's own tables, as reflection does."""
    return any(
        scan.schema in CATALOG_SCHEMAS or (scan.schema is None and scan.table.startswith("pg_"))
        for scan in statement.scans
    )


def _key(execution: Execution) -> Key:
    return execution.process, execution.sequence


def _units(executions: Sequence[Execution], events: Sequence[SessionEvent]) -> dict[str, list[Step]]:
    units: defaultdict[str, list[Step]] = defaultdict(list)
    steps_: list[Step] = [*executions, *events]
    for step in steps_:
        units[unit_of(step)].append(step)
    for steps in units.values():
        steps.sort(key=lambda step: (step.process, step.sequence))
    return dict(units)


def _after_commit(steps: Sequence[Step]) -> Iterator[tuple[Key, SessionEvent]]:
    commit: SessionEvent | None = None
    renewed: set[str] = set()
    for step in steps:
        if isinstance(step, SessionEvent):
            if step.kind == "commit":
                commit, renewed = step, set()
            elif step.kind == "rollback":
                # It expires instances too; whatever comes now is the rollback's.
                commit, renewed = None, set()
            continue
        load = step.orm
        if commit is None or load is None or load.parent is None:
            continue
        if load.origin_sequence is not None and load.origin_sequence > commit.sequence:
            continue
        if load.kind == "column" and load.cause == "expired":
            renewed.add(load.parent)
            yield _key(step), commit
        elif load.kind == "lazy" and load.parent in renewed:
            yield _key(step), commit
