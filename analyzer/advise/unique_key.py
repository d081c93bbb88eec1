"""UNIQUE in the place of a plain index, where the data and the code both say that a value comes once."""

from dataclasses import replace

from ..schema import Column, Table
from ..sql.statement import TableScan
from .candidate_index import CandidateIndex, Key

TOLERANCE = 1e-3
"""pg_stats keeps both shares with four bytes."""


def unique_key(scan: TableScan, table: Table) -> str | None:
    """The column whose value the scan takes for a key of the table, or None.

    The code takes one row and refuses more, it asks by this column alone, and ANALYZE has seen no value twice: n_distinct is
    then −1 × the share of rows that are not NULL. A partitioned table would need its partition key in the index too.
    """
    asked = asked_by(scan)
    if not scan.one_row or asked is None or table.parts:
        return None
    column = table.column(asked)
    return asked if column is not None and _all_different(column) else None


def asked_by(scan: TableScan) -> str | None:
    """The column by whose value alone the scan asks for its rows, for all that have it."""
    if scan.limited or scan.or_predicates or len(scan.predicates) != 1:
        return None
    (predicate,) = scan.predicates
    return predicate.column if predicate.kind == "equality" and not predicate.join else None


def made_unique(index: CandidateIndex, column: str) -> CandidateIndex | None:
    """The index as one that upholds the key; None for a hash index, which cannot; others stay as they are."""
    if index.method == "hash":
        return None
    if index.method == "btree" and index.keys == (Key(column),) and index.predicate is None:
        return replace(index, unique=True)
    return index


def _all_different(column: Column) -> bool:
    ratio, nulls = column.ndistinct_ratio, column.null_fraction
    return ratio is not None and nulls is not None and nulls < 1 and abs(ratio + 1 - nulls) < TOLERANCE
