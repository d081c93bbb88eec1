"""Indexes of partitions that equal one on the whole and can become part of it."""

from collections.abc import Mapping

from ..schema import Index, Table
from ..sql.deparse import identifier
from ..sql.identifier import unquote_identifier
from .candidate_duplicates import canonical, collated
from .candidate_index import CandidateIndex
from .existing_indexes import meant_options
from .partition_recipe import every_part


def standing_indexes(index: CandidateIndex, table: Table) -> dict[tuple[str, str], Index]:
    """By schema and name of a part the valid index of its own that PostgreSQL would make part of this one; table: the whole."""
    found = {}
    for part in every_part(index.partitions):
        own = next((one for one in part.indexes if _equal(one, index, table)), None)
        if own is not None:
            found[part.schema, part.name] = own
    return found


def taken_over(standing: Mapping[tuple[str, str], Index]) -> str:
    """A sentence on the parts that have the index already; empty where none has."""
    if not standing:
        return ""
    names = ", ".join(f"{part} ({own.name})" for (_, part), own in sorted(standing.items(), key=lambda one: one[0]))
    return (
        f"Already there on {names}, and made part of the index of the whole: whoever drops that one drops these too, so the "
        "migration's downgrade builds them again."
    )


def _equal(own: Index, index: CandidateIndex, table: Table) -> bool:
    """One that upholds something stays out: DROP INDEX on the whole would fail on it."""
    if not own.valid or own.attached or own.constraint or own.replica_identity:
        return False
    if meant_options(own) != {f"{name}={value}" for name, value in index.options}:
        return False
    if (own.method, own.unique, own.nulls_not_distinct) != (index.method, index.unique, index.nulls_not_distinct):
        return False
    # PostgreSQL compares the covering columns in their order, too.
    if tuple(map(unquote_identifier, own.include)) != index.include or _condition(own.predicate) != _condition(
        index.predicate
    ):
        return False
    if len(own.columns) != len(index.keys):
        return False
    for place, (column, key) in enumerate(zip(own.columns, index.keys, strict=True)):
        text = identifier(key.column) if key.column is not None else canonical(key.expression)
        nulls_first = key.descending if key.nulls_first is None else key.nulls_first
        order = (own.descending[place], own.nulls_first[place])
        if canonical(column) != text or order != (key.descending, nulls_first):
            return False
        default = own.default_classes[place]
        if not (default if key.operator_class is None else own.operator_classes[place] == key.operator_class):
            return False
        if not collated(own, place, key.column if key.column is not None else key.expression, table):
            return False
    return True


def _condition(predicate: str | None) -> str | None:
    return canonical(predicate) if predicate is not None else None
