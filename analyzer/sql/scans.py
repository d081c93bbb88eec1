"""What each query level asks of each table."""

from .bind import Binder
from .relations import Relations
from .scopes import Occurrence
from .statement import TableScan
from .tree import Node


def table_scans(tree: Node, relations: Relations) -> tuple[tuple[TableScan, ...], Binder]:
    """One scan per table occurrence, in text order, and the binder that found them."""
    binder = Binder(relations)
    binder.statement(tree)
    return tuple(_scan(one) for one in binder.found if not one.sampled), binder


def _scan(found: Occurrence) -> TableScan:
    return TableScan(
        schema=found.schema,
        table=found.table,
        alias=found.alias,
        predicates=tuple(dict.fromkeys(found.predicates)),
        order_by=found.order,
        group_by=found.group,
        columns=None if found.star else tuple(sorted(found.columns)),
        limited=found.limited,
        or_predicates=found.or_predicates,
        or_branches=tuple(dict.fromkeys(found.or_branches)),
        windows=tuple(found.windows),
        distinct=found.distinct,
        extremes=tuple(dict.fromkeys(found.extremes)),
        written=found.written,
        nullable=found.nullable,
        locks=found.locks,
        via=found.via,
    )
