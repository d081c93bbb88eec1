"""What application code asks for by itself, outside of any relationship, and how it could ask for many at once."""

import re
from collections.abc import Iterator, Sequence

from ..analyzer.recommendation import Code
from ..analyzer.sql.deparse import identifier
from ..analyzer.sql.statement import Predicate, Statement, TableScan
from ..analyzer.workload import Execution
from .loader_option import loader_option
from .recorded import Recorded

MAX_COLUMNS = 6
"""An edit names no more of them."""


def asked_for(recorded: Recorded, execution: Execution) -> Statement | None:
    """The statement of an execution that application code asked for by itself: a SELECT of tables of its own, without locks."""
    load = execution.orm
    if execution.executemany or execution.call_site is None or (load is not None and load.kind not in ("query", "get")):
        return None
    return recorded.own_query(execution)


def why_right(statement: Statement, text: str, run: Sequence[Execution]) -> str | None:
    """Why a repetition of this statement is how it should be; None when nothing says so."""
    predicates = [one for scan in statement.scans for one in scan.predicates if not one.join]
    equal = any(one.kind == "equality" and one.constant is None for one in predicates)
    listed = [one for one in predicates if one.kind == "in"]
    if listed and (not equal or any((one.column or "").endswith("id") for one in listed)):
        return "it asks for a list of values at a time: work in chunks, as large jobs should"
    ranged = any(one.kind == "range" for one in predicates)
    many = max((one.rows or 0 for one in run), default=0) > 1
    continued = ranged or any(_continues(scan) for scan in statement.scans)
    if statement.limited and many and (continued or re.search(r"\boffset\b", text, re.IGNORECASE)):
        return "it pages through a result, as large jobs should"
    if ranged and not equal:
        return "it takes one range after the other: work in chunks, as large jobs should"
    return None


def _continues(scan: TableScan) -> bool:
    """Whether it goes on behind the last row of the page before, by several keys: `a > $1 OR (a = $1 AND b > $2)`."""
    keys = {one.expression for one in scan.order_by}
    return any(
        one.kind == "range" and one.constant is None and one.expression in keys
        for branches in scan.or_branches
        for branch in branches
        for one in branch
    )


def followers(recorded: Recorded, executions: Sequence[Execution]) -> list[Execution]:
    """What the ORM loads of the instances that the repeated queries return, one by one as they come."""
    own = {(one.process, one.sequence) for one in executions}
    return [
        one
        for one in recorded.loads("lazy", "column")
        if one.orm is not None and (one.process, one.orm.origin_sequence) in own
    ]


def at_once(statement: Statement, run: Sequence[Execution], loads: Sequence[Execution]) -> Iterator[Code]:
    """The statement of a repetition, asking for all of its values. loads: the followers of its executions."""
    asked = next(
        (
            (scan, one)
            for scan in statement.scans
            for one in scan.predicates
            if one.kind == "equality" and not one.join and one.constant is None
        ),
        None,
    )
    if asked is None:
        return
    scan, predicate = asked
    column = predicate.expression
    if len(statement.scans) > 1 and predicate.column is not None:
        column = f"{identifier(scan.alias)}.{column}"
    load = run[0].orm
    if any(scan.limited and scan.order_by for scan in statement.scans):
        # The first rows of each value are not the first rows of all.
        yield Code(
            "One query for all values",
            "sql",
            f"SELECT …\nFROM unnest(:values) AS wanted (value)\n"
            f"CROSS JOIN LATERAL (SELECT … WHERE {column} = wanted.value ORDER BY … LIMIT …) AS found",
        )
    elif load is not None and load.entity is not None and _is_attribute(statement, scan, predicate):
        attribute = f"{load.entity}.{predicate.column}"
        wanted = _columns(statement, load.entity, predicate.column or "") or load.entity
        options = _options(loads)
        text = f"select({wanted}).where({attribute}.in_(values))"
        yield Code("One query for all values", "python", text + (f".options({options})" if options else ""))
    elif statement.aggregated:
        yield Code(
            "One query for all values", "sql", f"SELECT {column}, …\nWHERE {column} = ANY(:values)\nGROUP BY {column}"
        )
    else:
        yield Code("One query for all values", "sql", f"WHERE {column} = ANY(:values)")


def _is_attribute(statement: Statement, scan: TableScan, predicate: Predicate) -> bool:
    """Whether the condition is on a column of the entity that is asked for: of the only table, or of the one that the outputs
    begin with."""
    first = statement.outputs[0] if statement.outputs else None
    own = len(statement.scans) == 1 or (first is not None and first[0] == scan.alias)
    return own and not statement.aggregated and predicate.column is not None and predicate.column.isidentifier()


def _columns(statement: Statement, entity: str, key: str) -> str | None:
    """The outputs as attributes, by the key that tells the rows apart; None where whole instances are asked for: their primary
    key is among the outputs, so what has neither the key nor more than a few columns is no instance."""
    names = [one[1] for one in statement.outputs if one is not None and one[1].isidentifier()]
    if not names or len(names) != len(statement.outputs) or len(names) > MAX_COLUMNS or key in names:
        return None
    return ", ".join(f"{entity}.{name}" for name in (key, *names))


def _options(loads: Sequence[Execution]) -> str:
    """Options for what was loaded of each instance besides."""
    paths = {one.orm.path: one.orm for one in loads if one.orm is not None and one.orm.kind == "lazy"}
    longest = [
        path for path in sorted(paths) if not any(other[: len(path)] == path for other in paths if other != path)
    ]
    return ", ".join(loader_option(path, paths[path].to_many, [paths[path]], None, "query").text for path in longest)
