"""What application code asks for by itself, outside of any relationship, and how it could ask for many at once."""

import re
from collections.abc import Iterator, Sequence
from keyword import iskeyword

from ..analyzer.query import OrmLoad
from ..analyzer.recommendation import Code
from ..analyzer.sql.deparse import identifier
from ..analyzer.sql.fingerprint import normalize
from ..analyzer.sql.statement import Predicate, Statement, TableScan
from ..analyzer.workload import Execution
from .loader_option import loader_option
from .recorded import Recorded
from .source import alias_name

LABEL = "One query for all values"
NOT_AT_ONCE = (
    "See whether it can be asked for many values together",
    "What is to change depends on what the query means: its values stand where one list cannot simply take their place.",
)
"""Title and reason of a remedy without code."""
_NO_LIMIT = "but no limit: of each value keep as many as before"
COUNTED = "queries counted in the recording"
_POSTGRESQL = frozenset(("", "psycopg2", "psycopg2cffi", "psycopg", "psycopg_async", "asyncpg", "pg8000"))
"""Drivers of PostgreSQL, and those that are not known: others have no `= ANY`, `unnest` or LATERAL."""


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
    """The statement of a repetition, asking for all of its values. loads: the followers of its executions.

    Of several values it cannot be told which of them change from call to call: they are compared together.
    """
    asked = [
        (scan, one)
        for scan in statement.scans
        for one in scan.predicates
        if one.kind == "equality" and not one.join and one.constant is None
    ]
    # Without outputs of its own it is a UNION or the like: a condition belongs to one of its parts. One on what an outer join
    # may miss may be the join's own, of whose rows all have one for each value; one in a subquery may be counted or denied.
    names = [scan.alias for scan in statement.scans]
    outermost = all(scan.alias in statement.sources and names.count(scan.alias) == 1 for scan, _ in asked)
    if not asked or not statement.outputs or not outermost or any(scan.nullable for scan, _ in asked):
        return
    joined = len(statement.scans) > 1
    columns = [
        (f"{identifier(scan.alias)}." if joined and one.column is not None else "") + _without_literals(one)
        for scan, one in asked
    ]
    foreign = run[0].driver not in _POSTGRESQL
    load = run[0].orm
    others = sum(len([one for one in scan.predicates if not one.join]) + scan.or_predicates for scan in statement.scans)
    rest = others > len(asked)
    first = any(scan.limited and scan.order_by for scan in statement.scans)
    entity = _entity(run[0], alone=not joined and not rest)
    kept = any(0 < len(scan.distinct) < len(statement.outputs) for scan in statement.scans)
    if first or kept or any(scan.windows for scan in statement.scans):
        # The first rows of each value, or of DISTINCT ON, are not those of all, and a window does not end with the value.
        if foreign:
            return
        yield _sql(_each_by_itself(columns, " ORDER BY … LIMIT …" if first else ""))
    elif load is not None and entity is not None and _are_attributes(statement, load, asked):
        keys = [one.column or "" for _, one in asked]
        attributes = _attributes(load, entity, keys)
        found = f"tuple_({attributes})" if len(keys) > 1 else attributes
        wanted = _columns(statement, load, entity, asked) if load.columns else entity
        text = f"select({wanted}).where({found}.in_(values))"
        text += f".group_by({attributes}, …)" if statement.grouped and not _grouped_by(asked) else ""
        options = _options(loads)
        text += f".options({options})" if options else ""
        yield Code(LABEL, "python", text + _what_stays(statement, load, joined=joined, rest=rest))
    else:
        whose = ", ".join(columns)
        if foreign and "::" in whose:
            return
        one_of = "IN (…)" if foreign else "= ANY(:values)"
        text = f"WHERE ({whose}) IN (VALUES …)" if len(columns) > 1 else f"WHERE {whose} {one_of}"
        text += " AND …" if rest else ""
        if statement.aggregated or statement.grouped:
            more = statement.grouped and not _grouped_by(asked)
            text = f"SELECT {whose}, …\n{text}\nGROUP BY {whose}{', …' if more else ''}"
        elif statement.distinct:
            text = f"SELECT DISTINCT {whose}, …\n{text}"
        yield _sql(f"{text}\n-- {_NO_LIMIT}" if statement.limited and not statement.aggregated else text)


def _grouped_by(asked: Sequence[tuple[TableScan, Predicate]]) -> bool:
    """Whether the rows are grouped by what is compared already."""
    return all(one.column is not None and one.expression in scan.group_by for scan, one in asked)


def _without_literals(one: Predicate) -> str:
    """What is compared, as the statement writes it; `…` stands for literals in it."""
    if one.column is not None:
        return one.expression + one.cast
    return re.sub(r"\$\d+", "…", normalize(one.expression))


def _sql(text: str) -> Code:
    return Code(LABEL, "sql", text)


def _entity(execution: Execution, *, alone: bool) -> str | None:
    """What the code calls the entity that it asks for. alone: nothing else of the query names it; then its class will do."""
    load = execution.orm
    if load is None or load.entity is None or not load.aliased:
        return load.entity if load is not None else None
    place = execution.call_site
    named = alias_name(place, load.root or load.entity) if place is not None else None
    return named or (load.entity if alone else None)


def _what_stays(statement: Statement, load: OrmLoad, *, joined: bool, rest: bool) -> str:
    """A remark on what the query has besides the changed condition; Session.get has nothing but options."""
    built = load.kind != "get"
    stays = "its other conditions stay" if built and rest else ""
    ordered = any(scan.order_by for scan in statement.scans)
    if load.options or (built and (joined or ordered or statement.distinct or statement.grouped)):
        stays = "all else that it asks for stays"
    limit = _NO_LIMIT if built and statement.limited else ""
    return f"  # {', '.join(filter(None, (stays, limit)))}" if stays or limit else ""


def _each_by_itself(columns: Sequence[str], end: str) -> str:
    several = len(columns) > 1
    names = [f"value_{number}" for number in range(1, len(columns) + 1)] if several else ["value"]
    lists = ", ".join(f":{name}s" for name in names)
    found = " AND ".join(f"{column} = wanted.{name}" for column, name in zip(columns, names, strict=True))
    return (
        f"SELECT …\nFROM unnest({lists}) AS wanted ({', '.join(names)})\n"
        f"CROSS JOIN LATERAL (SELECT … WHERE {found}{end}) AS found"
    )


def _are_attributes(statement: Statement, load: OrmLoad, asked: Sequence[tuple[TableScan, Predicate]]) -> bool:
    """Whether the conditions are on columns of the entity that is asked for: of the only table, or of the one that the outputs
    begin with."""
    first = statement.outputs[0]
    alone = len(statement.scans) == 1
    return not statement.aggregated and all(
        (alone if first is None else first[0] == scan.alias or (alone and not first[0]))
        and one.column is not None
        and not one.cast
        and _is_name(load.attribute(one.column))
        for scan, one in asked
    )


def _is_name(attribute: str) -> bool:
    return attribute.isidentifier() and not iskeyword(attribute)


def _attributes(load: OrmLoad, entity: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{entity}.{load.attribute(name)}" for name in columns)


def _columns(statement: Statement, load: OrmLoad, entity: str, asked: Sequence[tuple[TableScan, Predicate]]) -> str:
    """The outputs as attributes, behind the keys that tell the rows apart; `…` where they cannot be named."""
    keys = [one.column or "" for _, one in asked]
    own = {asked[0][0].alias, *([""] if len(statement.scans) == 1 else [])}
    names = [one[1] for one in statement.outputs if one is not None and one[0] in own]
    if len(names) != len(statement.outputs) or not all(_is_name(load.attribute(name)) for name in names):
        return f"{_attributes(load, entity, keys)}, …"
    return _attributes(load, entity, list(dict.fromkeys((*keys, *names))))


def _options(loads: Sequence[Execution]) -> str:
    """Options for what was loaded of each instance besides."""
    paths = {one.orm.path: one.orm for one in loads if one.orm is not None and one.orm.kind == "lazy"}
    longest = [
        path for path in sorted(paths) if not any(other[: len(path)] == path for other in paths if other != path)
    ]
    return ", ".join(loader_option(path, paths[path].to_many, [paths[path]], None, "query").text for path in longest)
