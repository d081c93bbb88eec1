"""Candidates of a whole workload."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..plan import Plan
from ..schema import Schema, Table
from ..sql.statement import Statement, TableScan
from ..sql.tokens import names_in
from .candidate_index import CandidateIndex
from .candidates import candidates, obstacles, together
from .scanned_table import scanned_table

FEW_VALUES = 10
"""An expression has at most as many values as its columns together: with fewer than this, equality with one keeps a tenth of
the rows or more, whatever the planner guesses (half a per cent) while there are no statistics of the expression."""


ONE_PAGE = 8192
"""Bytes: a table of one page is read at once. The planner takes an empty one for ten pages until it is analysed."""


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """indexes in the workload's order; bundles: those that serve only together; obstacles: by fingerprint and table, the
    conditions that no index can serve as they are written, each with the reason."""

    indexes: tuple[CandidateIndex, ...]
    bundles: tuple[tuple[CandidateIndex, ...], ...]
    obstacles: Mapping[tuple[str, str, str], tuple[tuple[str, str], ...]]


def candidate_pool(statements: Mapping[str, Statement], plans: Mapping[str, Plan], schema: Schema) -> CandidatePool:
    """What each statement asks of each table, as indexes. plans: today's, which tell of tables that the text does not name."""
    indexes: dict[CandidateIndex, None] = {}
    bundles: dict[tuple[CandidateIndex, ...], None] = {}
    hindered: dict[tuple[str, str, str], tuple[tuple[str, str], ...]] = {}
    for fingerprint, statement in statements.items():
        for table, scan in asked(statement, plans.get(fingerprint), schema):
            if table.size_bytes <= ONE_PAGE and not table.partitions:
                continue
            indexes |= dict.fromkeys(one for one in candidates(scan, table, schema) if not _few_values(one, table))
            bundles |= dict.fromkeys(together(scan, table, schema))
            key = (fingerprint, table.schema, table.name)
            hindered[key] = tuple(dict.fromkeys((*hindered.get(key, ()), *obstacles(scan, table, schema))))
    return CandidatePool(tuple(indexes), tuple(bundles), hindered)


def asked(statement: Statement, plan: Plan | None, schema: Schema) -> tuple[tuple[Table, TableScan], ...]:
    """Each table that the statement reads, with one scan of it."""
    found: dict[tuple[str, str, TableScan], tuple[Table, TableScan]] = {}
    for scan in statement.scans:
        if (table := schema.table(scan.table, scan.schema)) is not None:
            found.setdefault((table.schema, table.name, scan), (table, scan))
    for node in plan.root.walk() if plan is not None else ():
        if (place := scanned_table(node, statement, schema)) is not None:
            table, scans = place
            for scan in scans:
                found.setdefault((table.schema, table.name, scan), (table, scan))
    return tuple(found.values())


def _few_values(index: CandidateIndex, table: Table) -> bool:
    """Whether it begins with an expression that cannot tell rows apart."""
    first = index.keys[0]
    if first.column is not None or index.method not in ("btree", "hash"):
        return False
    words = names_in(first.expression)
    columns = [column for column in table.columns if column.name in words]
    if not columns or any(column.distinct is None for column in columns):
        return False
    return prod(column.distinct or 0.0 for column in columns) < FEW_VALUES
