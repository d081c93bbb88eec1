"""fetched-but-unused-rows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.query import CallSite
from ...analyzer.recommendation import Code
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import Execution
from ..asked_for import asked_for
from ..awaits import awaits
from ..entity_uses import UseAtQuery, entity_uses
from ..finding import Fact, Finding
from ..option_codes import line_code
from ..orm_rule import Claim, OrmRule, with_remedy
from ..recorded import Recorded
from ..row_use import RowUse, by_legacy_query, made_unique, row_use
from ..source import called_on

MIN_ROWS = 10
"""Rows of a run that the source says are not used: fewer cost no more than one."""
MIN_UNREAD = 20
MAX_SHARE = 0.1
"""Instances of a run of which most must be unread for the counts alone to be enough."""

_WHAT: dict[RowUse, tuple[str, str]] = {
    "first": (
        "only the first is used",
        "Ask for one row",
    ),
    "last": (
        "only the last is used",
        "Ask for one row",
    ),
    "first and count": (
        "only the first and their number are used",
        "Ask for one row, and let the database count",
    ),
    "slice and count": (
        "only a slice of them and their number are used",
        "Let the database cut the slice and count",
    ),
    "slice": (
        "only a slice of them is used",
        "Let the database cut the slice",
    ),
    "count": (
        "they are only counted",
        "Let the database count",
    ),
    "exists": (
        "all that is asked is whether there are any",
        "Ask whether there is one",
    ),
}

_SENDS = ("scalars", "execute", "exec", "scalar", "query")


Counted = tuple[Execution, int]
"""An execution with the number of its rows."""


class FetchedButUnusedRows(OrmRule):
    """A query fetches many rows, and the code uses the first of them, a slice, or only their number.

    ## Why it is slow
    Without a server-side cursor the driver receives every row of a result, even for `first()`, and the ORM makes an
    instance of each. `limit`, `count` and `exists` leave the rows where they are.

    What is used is read from the source line where it is at hand and says so without doubt; recordings made with `--deep`
    count the instances that were read. Drivers that do not tell how many rows a SELECT has given, such as SQLite's, need
    `--deep`.

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
    session.connection().exec_driver_sql("INSERT INTO authors SELECT generate_series(100, 200)")
    for author in session.scalars(select(Author)):
        if author.id:
            break
    ```

    ## Good
    ```python
    session.connection().exec_driver_sql("INSERT INTO authors SELECT generate_series(100, 200)")
    print(session.scalars(select(Author).limit(1)).first().id)
    ```
    """

    code = "ORM009"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Queries without LIMIT: by the source around them, else by the counts of reads."""
        uses = {one.use.origin: one for one in entity_uses(recorded) if not one.use.path}
        places: defaultdict[CallSite, list[Counted]] = defaultdict(list)
        for execution in recorded.executions:
            statement = asked_for(recorded, execution) if recorded.free(execution) else None
            if statement is None or statement.limited or (statement.aggregated and not statement.grouped):
                continue
            place = execution.call_site
            if place is not None and (count := _count(execution, uses.get(place)) or 0) >= MIN_ROWS:
                places[place].append((execution, count))
        for place, counted in places.items():
            executions = [execution for execution, _ in counted]
            use = row_use(place)
            if use in _WHAT:
                text = _instead(recorded, executions[0], use)
                yield Claim(self._finding(counted, place, (*_WHAT[use], text), 1.0), executions)
            elif place in uses and _unread(uses[place]):
                one = uses[place].use
                what = (
                    f"{one.touched} of {one.instances} instances were read",
                    "Ask for the rows that are used",
                    ".where(…).limit(…)",
                )
                yield Claim(self._finding(counted, place, what, one.touched / one.executions), executions)

    def _finding(self, counted: Sequence[Counted], place: CallSite, what: tuple[str, str, str], used: float) -> Finding:
        executions = [execution for execution, _ in counted]
        worst = max(count for _, count in counted)
        rows = sum(count for _, count in counted)
        saves = sum(execution.duration_ms * max(0.0, 1 - used / count) for execution, count in counted)
        finding = self.finding(
            executions, place, "rows",
            f"{worst} rows are fetched, and {what[0]}.",
            (Fact("rows of the longest result", worst, "rows"), Fact("rows in all", rows, "rows"), Fact("runs", len(executions))),
            worst=0, at_stake_ms=saves,
        )  # fmt: skip
        codes = [Code("For the query", "python", what[2]), *line_code(place)]
        return with_remedy(
            finding, what[1], "Rows that are not sent cost neither the server nor the client anything.", codes,
            before=None, after=None, saves_ms=saves, rows=(float(worst), max(1.0, used)),
            how="rows, or instances where the driver tells of none, counted in the recording; time is taken to be in proportion to rows",
        )  # fmt: skip


def _instead(recorded: Recorded, execution: Execution, use: RowUse) -> str:
    """What the query is to be, or to be given."""
    statement, load = recorded.statement(execution), execution.orm
    scans = statement.scans if statement is not None else ()
    ordered = any(scan.order_by for scan in scans)
    number = "; the number of rows by a query of its own" if use.endswith(" and count") else ""
    if use == "last":
        return ".limit(1)  # in the opposite order: .order_by(….desc())"
    if use.startswith("first"):
        order = "with .order_by(…), so that it is always the same one"
        notes = [one for one in ("" if ordered else order, number.removeprefix("; ")) if one]
        return f".limit(1)  # {'; '.join(notes)}" if notes else ".limit(1)"
    if use.startswith("slice"):
        order = "" if ordered else ".order_by(…)"
        return f"{order}.limit(size).offset(start)  # or a condition on the last key of the page before{number}"
    entity = (load.entity if load is not None else None) or "…"
    whole = len(scans) == 1 and not scans[0].predicates and not scans[0].or_predicates
    aliased = load is not None and load.aliased
    scalar = f"{'await ' if awaits(execution) else ''}{called_on(execution.call_site, _SENDS, 'session')}.scalar"
    if statement is None or not _is_plain(statement) or (aliased and not whole):
        if use == "count" and load is not None and not load.columns and _is_legacy(execution):
            distinct = "" if statement is not None and statement.distinct else ".distinct()"
            return f"query.order_by(None){distinct}.count()  # each {entity} once, as a legacy Query gives it"
        # Its rows are not those of one table: only the query itself says which they are.
        if use != "count":
            return f"{scalar}(select(query.exists()))"
        if execution.call_site is not None and made_unique(execution.call_site):
            distinct = "" if statement is not None and statement.distinct else ".distinct()"
            counted = f"select(func.count()).select_from(query.order_by(None){distinct}.subquery())"
            return f"{scalar}({counted})  # each row once, as unique() gives it"
        return f"{scalar}(select(func.count()).select_from(query.subquery()))"
    if use == "count":
        return f"{scalar}(select(func.count()).select_from({entity}){'' if whole else '.where(…)'})"
    return f"{scalar}(select(exists().{f'select_from({entity})' if whole else 'where(…)'}))"


def _is_legacy(execution: Execution) -> bool:
    return execution.call_site is not None and by_legacy_query(execution.call_site)


def _is_plain(statement: Statement) -> bool:
    """Whether each row of its only table that its conditions let through is a row of its result."""
    tables = {one[0] for one in statement.outputs if one is not None}
    return (
        len(statement.scans) == 1
        and bool(statement.outputs)
        and not (statement.distinct or statement.grouped)
        and tables <= {"", statement.scans[0].alias}
    )


def _count(execution: Execution, at: UseAtQuery | None) -> int | None:
    """Rows, or root entities where joined collections repeat them, or where the driver tells of none how many instances its line
    has loaded on average; None when these are not known."""
    load = execution.orm
    if load is not None and load.joined:
        return load.roots
    if execution.rows is None and at is not None:
        return round(at.use.instances / max(1, at.use.executions))
    return execution.rows


def _unread(one: UseAtQuery) -> bool:
    use = one.use
    mean = use.instances / max(1, use.executions)
    return use.touched > 0 and mean >= MIN_UNREAD and use.touched <= use.instances * MAX_SHARE
