"""What all known texts of one statement ask alike: a constant that only some calls have is no ground for a partial index."""

from collections.abc import Sequence
from dataclasses import replace

from ..sql.statement import Predicate, Statement, TableScan


def agreed(statements: Sequence[Statement]) -> Statement:
    """The first statement, its constants only where every other has the same one in the same place."""
    first, *others = [one for one in statements if one.problem is None] or list(statements)
    for other in others:
        if len(other.scans) == len(first.scans):
            scans = tuple(_agreed(one, two) for one, two in zip(first.scans, other.scans, strict=True))
            first = replace(first, scans=scans)
    return first


def _agreed(one: TableScan, two: TableScan) -> TableScan:
    branches = one.or_branches
    if len(branches) == len(two.or_branches):
        branches = tuple(
            tuple(_predicates(a, b) for a, b in zip(ours, theirs, strict=True)) if len(ours) == len(theirs) else ours
            for ours, theirs in zip(branches, two.or_branches, strict=True)
        )
    return replace(one, predicates=_predicates(one.predicates, two.predicates), or_branches=branches)


def _predicates(one: tuple[Predicate, ...], two: tuple[Predicate, ...]) -> tuple[Predicate, ...]:
    """Compared as sets: texts with different values may list the same conditions in another order."""
    constants = {(other.expression, other.operator, other.constant) for other in two}
    return tuple(
        own
        if own.constant is None or (own.expression, own.operator, own.constant) in constants
        else replace(own, constant=None)
        for own in one
    )
