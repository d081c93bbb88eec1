"""n-plus-one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...analyzer.query import CallSite
from ...analyzer.recommendation import Code, Evidence, LoaderEdit, Measurement, QueryEvidence, Recommendation
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import Execution, QueryGroup
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..rule import Case, Rule

MIN_PARENTS = 3
"""Lazy loads from one query before it is a pattern: one parent is 1+1, two may be chance."""
MIN_REPEATS = 5
"""Repetitions of a statement the ORM says nothing about."""
MAX_GAP_S = 2.0
"""Seconds between two executions of one loop; polling is slower."""


class NPlusOne(Rule):
    """One query loads rows, and then one more query is sent for each of them.

    ## Why it is slow
    Every query costs a round trip and the work of the driver and the ORM, however fast the server answers. Their number
    grows with the rows of the first query: 1 + N instead of 2. Eager loading, or one query with `IN`, asks once.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        books: Mapped[list["Book"]] = relationship(back_populates="author")


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
        author: Mapped[Author] = relationship(back_populates="books")
    ```

    ## Bad
    ```python
    for author in session.scalars(select(Author)):
        print(len(author.books))
    ```

    ## Good
    ```python
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        print(len(author.books))
    ```
    """

    code = "ORM001"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Lazy loads first, with the query they come from; then repetitions that the ORM says nothing about."""
        groups = {group.fingerprint: group for group in case.workload.groups}
        lazy, rest = _split(case.workload.executions)
        for loads in lazy.values():
            worst = max(_by_scope(loads), key=len)
            if len({load.orm.parent for load in worst if load.orm is not None}) >= MIN_PARENTS:
                yield self._lazy(groups[loads[0].fingerprint], loads, worst)
        for repeats in rest.values():
            verdict = self._repeated(groups[repeats[0].fingerprint], repeats, case.statements)
            if verdict is not None:
                yield verdict

    def _lazy(self, group: QueryGroup, loads: Sequence[Execution], worst: Sequence[Execution]) -> Finding:
        load = loads[0].orm
        assert load is not None
        place = load.origin or loads[0].call_site
        path = load.path[-1] if load.path else load.entity or "a relationship"
        finding = self._finding(
            group, loads, worst, place, Subject(group.fingerprint, None, (), f"{'>'.join(load.path)}@{_function(place)}"),
            f"{path} is loaded again for each instance of one query: {len(worst)} queries where 1 would do.",
        )  # fmt: skip
        if not load.path:
            return finding
        options = _options(load.path, load.to_many)
        codes = [Code("Option for the query", "python", f".options({options})")]
        if place is not None and (line := _source_line(place)):
            codes.append(Code(f"The line where the query is sent, {place.file}:{place.line}", "python", line))
        imports = sorted({"selectinload" if many else "joinedload" for many in load.to_many})
        codes.append(Code("Import", "python", f"from sqlalchemy.orm import {', '.join(imports)}"))
        return self._with_remedy(
            finding, group, loads, worst, f"Load {path} together with the query", codes, len(load.path), _edit(loads)
        )

    def _repeated(
        self, group: QueryGroup, repeats: Sequence[Execution], statements: Mapping[str, Statement]
    ) -> Finding | LookedAt | None:
        runs = [run for scope in _by_scope(repeats) for run in _runs(scope)]
        worst = max(runs, key=len, default=[])
        if len(worst) < MIN_REPEATS:
            return None
        place = repeats[0].call_site
        subject = Subject(group.fingerprint, None, (), f"repeated@{_function(place)}")
        statement = statements.get(group.fingerprint)
        if statement is None or statement.kind != "SELECT":
            return None
        distinct = {execution.parameters for execution in worst}
        if None not in distinct and len(distinct) < len(worst) / 2:
            return LookedAt(self.name, subject, "it repeats the same values: a duplicate, not one query per row")
        if _pages(statement):
            return LookedAt(self.name, subject, "it pages through a result or works in chunks, as large jobs should")
        finding = self._finding(
            group, repeats, worst, place, subject,
            f"One statement is sent {len(worst)} times in a row from one line, each time with other values.",
        )  # fmt: skip
        column = next((p.expression for scan in statement.scans for p in scan.predicates if p.kind == "equality"), "id")
        codes = [Code("One query for all values", "sql", f"WHERE {column} = ANY(:values)")]
        return self._with_remedy(finding, group, repeats, worst, "Ask for all rows in one query", codes, 1)

    def _finding(
        self, group: QueryGroup, all_: Sequence[Execution], worst: Sequence[Execution], place: CallSite | None,
        subject: Subject, message: str,
    ) -> Finding:  # fmt: skip
        total = sum(execution.duration_ms for execution in all_)
        return Finding(
            rule=self.name,
            code=self.code,
            severity=Severity.ERROR if len(worst) >= 50 else self.severity,
            subject=subject,
            message=message,
            facts=(
                Fact("queries in the worst case", len(worst), "queries"),
                Fact("queries in all", len(all_), "queries"),
                Fact(
                    "read at", str(f"{all_[0].call_site.file}:{all_[0].call_site.line}" if all_[0].call_site else "?")
                ),
            ),
            evidence=Evidence("measured", "counted in the recording"),
            at_stake_ms=total,
            place=place,
        )

    def _with_remedy(
        self, finding: Finding, group: QueryGroup, all_: Sequence[Execution], worst: Sequence[Execution],
        title: str, codes: Sequence[Code], after: int, edit: LoaderEdit | None = None,
    ) -> Finding:  # fmt: skip
        mean = sum(execution.duration_ms for execution in all_) / len(all_)
        scopes = len({execution.scope for execution in all_})
        remedy = Recommendation(
            id=finding.identity,
            kind="orm-edit",
            title=title,
            reason="Queries before are counted in the recording. After: one per relationship step, its time taken to be that "
            "of one of the queries that it replaces.",
            evidence=Evidence(
                "estimated",
                "queries counted in the recording against the number that eager loading sends",
                (QueryEvidence(group.fingerprint, Measurement(queries=len(worst)), Measurement(queries=after)),),
            ),
            code=tuple(codes),
            settles=(finding.identity,),
            saves_ms=max(0.0, (finding.at_stake_ms or 0.0) - mean * after * scopes),
            place=finding.place,
            edit=edit,
        )
        return replace(finding, remedy=remedy)


_Key = tuple[object, ...]


def _split(executions: Sequence[Execution]) -> tuple[dict[_Key, list[Execution]], dict[_Key, list[Execution]]]:
    """Lazy loads by origin query and path; other executions by statement and the code that sends them."""
    lazy: defaultdict[_Key, list[Execution]] = defaultdict(list)
    rest: defaultdict[_Key, list[Execution]] = defaultdict(list)
    for execution in executions:
        load = execution.orm
        if load is not None and load.kind == "lazy":
            lazy[execution.fingerprint, load.origin, load.path].append(execution)
        elif execution.call_site is not None and not execution.executemany and (load is None or load.kind == "query"):
            # Two callers of one function are two loops: the frames above tell them apart.
            rest[execution.fingerprint, execution.stack[:3]].append(execution)
    return dict(lazy), dict(rest)


def _by_scope(executions: Sequence[Execution]) -> list[list[Execution]]:
    scopes: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        scopes[execution.scope].append(execution)
    return list(scopes.values())


def _runs(executions: Sequence[Execution]) -> list[list[Execution]]:
    """Stretches without a long pause and within one transaction."""
    runs: list[list[Execution]] = []
    for execution in executions:
        last = runs[-1][-1] if runs else None
        together = (
            last is not None
            and execution.started_at - last.started_at <= MAX_GAP_S
            and execution.transaction == last.transaction
        )
        if together:
            runs[-1].append(execution)
        else:
            runs.append([execution])
    return runs


def _pages(statement: Statement) -> bool:
    predicates = [predicate for scan in statement.scans for predicate in scan.predicates]
    if any(predicate.kind == "in" and not predicate.join for predicate in predicates):
        return True
    ordered = any(scan.order_by for scan in statement.scans)
    equal = any(predicate.kind == "equality" and not predicate.join for predicate in predicates)
    return statement.limited and ordered and not equal


def _edit(loads: Sequence[Execution]) -> LoaderEdit | None:
    for load in (one.orm for one in loads if one.orm is not None):
        check = load.check
        if check is not None and check.problem is None and load.origin is not None and load.root is not None:
            return LoaderEdit(load.origin, load.root, check.option, check.loaders, check.classes, check.replaces, check.aliased)  # fmt: skip
    return None


def _options(path: Sequence[str], to_many: Sequence[bool]) -> str:
    steps = [f"{'selectinload' if many else 'joinedload'}({name})" for name, many in zip(path, to_many, strict=True)]
    return ".".join(steps)


def _function(place: CallSite | None) -> str:
    return f"{place.file}:{place.function}" if place is not None else ""


def _source_line(place: CallSite) -> str:
    """The reader's own line, when the source is at hand."""
    try:
        lines = Path(place.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError, ValueError):
        return ""
    return lines[place.line - 1].strip()[:300] if 0 < place.line <= len(lines) else ""
