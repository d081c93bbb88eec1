"""How long CREATE INDEX CONCURRENTLY would take, roughly."""

from ..schema import Table
from .candidate_index import CandidateIndex
from .candidate_types import is_text

PAGES_PER_S = 50_000.0
"""8 kB pages read from the table: 400 MB/s, what a cloud volume gives."""
ROWS_PER_S = {
    "btree": 500_000.0, "hash": 120_000.0, "brin": 5_000_000.0, "gin": 100_000.0, "gist": 100_000.0, "spgist": 150_000.0,
}  # fmt: skip
"""By access method, measured on a million rows with PostgreSQL 18 on a busy two-core machine: on a quiet one they are two to
three times as fast."""
TEXT_ROWS_PER_S = 350_000.0
"""B-trees on text compare more slowly."""
TRIGRAM_ROWS_PER_S = 25_000.0
"""Thirty entries a row and more."""
PASSES = 2
"""CONCURRENTLY reads the table twice: once to build, once to check what was written meanwhile."""


def build_ms(index: CandidateIndex, table: Table, rows: float, share: float = 1.0) -> float:
    """Milliseconds on an otherwise idle server. share: of the rows that a partial index holds."""
    rate = ROWS_PER_S.get(index.method, ROWS_PER_S["gist"])
    if any((key.operator_class or "").endswith("trgm_ops") for key in index.keys):
        rate = TRIGRAM_ROWS_PER_S
    elif index.method == "btree" and any(_compares_text(key.column, table) for key in index.keys):
        rate = TEXT_ROWS_PER_S
    return 1000 * (PASSES * table.pages / PAGES_PER_S + rows * share / rate)


def _compares_text(name: str | None, table: Table) -> bool:
    column = table.column(name) if name is not None else None
    return column is None or is_text(column)
