"""What application code asks for by itself, outside of any relationship, and how it could ask for many at once."""

import re
from collections.abc import Iterator, Sequence

from ..analyzer.recommendation import Code
from ..analyzer.sql.statement import Statement, TableScan
from ..analyzer.workload import Execution
from .loader_option import loader_option
from .recorded import Recorded


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
    equal = [one for scan in statement.scans for one in scan.predicates if one.kind == "equality" and not one.join]
    column = next((one.expression for one in equal if one.constant is None), None)
    if column is None:
        return
    load = run[0].orm
    if any(scan.limited and scan.order_by for scan in statement.scans):
        # The first rows of each value are not the first rows of all.
        yield Code(
            "One query for all values",
            "sql",
            f"SELECT …\nFROM unnest(:values) AS wanted (value)\n"
            f"CROSS JOIN LATERAL (SELECT … WHERE {column} = wanted.value ORDER BY … LIMIT …) AS found",
        )
    elif load is not None and load.entity is not None and not statement.aggregated and column.isidentifier():
        text = f"select({load.entity}).where({load.entity}.{column}.in_(values))"
        options = _options(loads)
        yield Code("One query for all values", "python", text + (f".options({options})" if options else ""))
    elif statement.aggregated:
        yield Code(
            "One query for all values", "sql", f"SELECT {column}, …\nWHERE {column} = ANY(:values)\nGROUP BY {column}"
        )
    else:
        yield Code("One query for all values", "sql", f"WHERE {column} = ANY(:values)")


def _options(loads: Sequence[Execution]) -> str:
    """Options for what was loaded of each instance besides."""
    paths = {one.orm.path: one.orm for one in loads if one.orm is not None and one.orm.kind == "lazy"}
    longest = [
        path for path in sorted(paths) if not any(other[: len(path)] == path for other in paths if other != path)
    ]
    return ", ".join(loader_option(path, paths[path].to_many, [paths[path]], None, "query").text for path in longest)
