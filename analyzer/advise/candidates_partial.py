"""Partial B-tree candidates: of the rows alone that a condition keeps."""

from collections.abc import Iterator

from ..schema import Table
from ..sql.identifier import quote_identifier
from ..sql.predicates import SAME_ROW
from ..sql.statement import Predicate, TableScan
from .candidate_index import Key
from .candidates_btree import Option, Wanted, btree_index, covering, cut, once

PARTIAL_MAX_VALUES = 20
"""Distinct values of a column whose constants may make a condition: a state or a flag. With more, an index on the column
itself serves every value, and a condition on one of them would be a guess from one call."""
PARTIAL_MAX_SHARE = 0.25
"""A partial index pays when its condition keeps at most this share of the rows."""
PARTIAL_KEYS = 3
"""Lists of keys tried for one condition."""


def partial(scan: TableScan, table: Table, asked: Wanted) -> Iterator[Option]:
    """Indexes of the rows alone that a constant condition keeps, where those are few; comparisons of two columns of one row,
    which no key can serve, as a condition too."""
    conditions: dict[Predicate, str] = {}
    for predicate in scan.predicates:
        text = partial_condition(predicate, table)
        if text is not None:
            conditions[predicate] = text
    compared = tuple(dict.fromkeys(filter(None, map(same_row, scan.predicates))))
    for predicate, text in conditions.items():
        yield from _partial(scan, table, asked, {predicate.column}, text)
    constant = {one.column for one in conditions}
    if len(conditions) > 1:
        yield from _partial(scan, table, asked, constant, " AND ".join(conditions.values()))
    if compared:
        yield from _partial(scan, table, asked, set(), " AND ".join(compared), needed=True)
        if conditions:
            both = " AND ".join((*conditions.values(), *compared))
            yield from _partial(scan, table, asked, constant, both, needed=True)
    for key in asked.fixed:
        column = table.column(key.column) if key.column is not None else None
        if column is not None and 1 - (column.null_fraction or 0.0) <= PARTIAL_MAX_SHARE:
            # Any comparison but IS NULL leaves NULLs out: the planner proves that from the condition itself.
            kinds = {one.kind for one in scan.predicates if one.column == key.column}
            if "is-null" not in kinds:
                index = btree_index(table, (key,), "partial", predicate=f"{quote_identifier(column.name)} IS NOT NULL")
                yield Option(index, 1)


def _partial(
    scan: TableScan, table: Table, asked: Wanted, constant: set[str | None], condition: str, *, needed: bool = False
) -> Iterator[Option]:
    """needed: give none unless the scan asks for something else too that a key can serve."""
    rest = tuple(key for key in asked.fixed if key.column not in constant)
    equal = tuple(key for key in asked.equal if key.column not in constant)
    listed = tuple(key for key in asked.listed if key.column not in constant)
    order = asked.order if asked.limited else ()
    ranges = tuple(key for key in asked.ranges if key.column not in constant)[:1]
    primary = next((index.columns[:1] for index in table.indexes if index.primary), ())
    lists = [
        equal + order + rest,
        rest + asked.rows,
        rest + listed + ranges,
        rest + listed,
        *asked.joined.values(),
        ranges,
    ]
    if not needed:
        lists.append(tuple(Key(name) for name in primary if table.column(name) is not None))
    found = [keys for keys in dict.fromkeys(cut(once(one), table) for one in lists) if keys]
    # Another table's rows may be looked up by any of the columns that they are joined by.
    joined = [keys for keys in found[1:] if keys in asked.joined.values()]
    free = len(equal if order else rest)
    options = [
        Option(btree_index(table, keys, "partial", predicate=condition), min(free, len(keys)))
        for keys in [*found[:1], *joined][:PARTIAL_KEYS]
    ]
    yield from options
    yield from covering(scan, table, options, most=PARTIAL_KEYS)


def same_row(predicate: Predicate) -> str | None:
    """A comparison of two columns of one row, as a condition."""
    return predicate.constant if predicate.operator == SAME_ROW else None


def partial_condition(predicate: Predicate, table: Table) -> str | None:
    """The condition of a partial index, when it stands in the statement's own text and keeps few rows."""
    column = table.column(predicate.column) if predicate.column is not None else None
    if column is None or predicate.join:
        return None
    name = quote_identifier(column.name)
    if predicate.kind == "is-null" and column.null_fraction is not None:
        return f"{name} IS NULL" if column.null_fraction <= PARTIAL_MAX_SHARE else None
    if predicate.kind == "is-not-null" and column.null_fraction is not None:
        return f"{name} IS NOT NULL" if 1 - column.null_fraction <= PARTIAL_MAX_SHARE else None
    if predicate.kind not in ("equality", "in") or predicate.constant is None:
        return None
    values = [plain_value(one) for one in literals(predicate.constant)]
    if (column.distinct or PARTIAL_MAX_VALUES + 1) > PARTIAL_MAX_VALUES or not column.common_values:
        return None
    shares = dict(column.common_values)
    # A value that the sample never met is among the few rows that the common ones leave.
    rest = max(0.0, 1.0 - sum(shares.values()) - (column.null_fraction or 0.0))
    if sum(shares.get(value, rest) for value in values) > PARTIAL_MAX_SHARE:
        return None
    if column.type == "boolean" and values[0] in ("t", "f"):
        return name if values[0] == "t" else f"NOT {name}"
    return f"{name} {'IN' if predicate.constant.startswith('(') else '='} {predicate.constant.strip()}"


def literals(constant: str) -> list[str]:
    """The literals of a constant: one, or those of a list in brackets."""
    text = constant.strip()
    if not text.startswith("("):
        return [text]
    found, quoted, current = [], False, ""
    for letter in text[1:-1]:
        quoted ^= letter == "'"
        if letter == "," and not quoted:
            found.append(current.strip())
            current = ""
        else:
            current += letter
    return [*found, current.strip()]


def plain_value(constant: str) -> str:
    """A literal as pg_stats prints the value."""
    text = constant.split("::")[0].strip() if not constant.startswith("'") else constant[: constant.rindex("'") + 1]
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    return {"true": "t", "false": "f"}.get(text.lower(), text)
