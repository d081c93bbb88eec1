"""The option that loads columns with the query which left them out, along the path to their instances."""

from collections.abc import Sequence

from ..analyzer.query import OrmLoad
from ..analyzer.workload import Execution
from .loader_option import ALIAS


def undefer(executions: Sequence[Execution], columns: Sequence[str]) -> str:
    """An option for each path to the instances: a self-referential relationship has as many as levels were asked for."""
    loads = {one.orm.path: one.orm for one in executions if one.orm is not None}
    return ", ".join(_undefer_on(loads[path], columns) for path in sorted(loads, key=lambda path: (len(path), path)))


def _undefer_on(load: OrmLoad, columns: Sequence[str]) -> str:
    if not load.path and load.owner is not None and not load.aliased:
        # undefer() alone would name columns that the query has no place for.
        own = ", ".join(f"undefer({load.owner}.{column})" for column in columns)
        return f"selectin_polymorphic({load.root}, [{load.owner}]), {own}"
    if not load.path:
        owner = (f"{ALIAS}.{load.owner}" if load.owner else ALIAS) if load.aliased else load.entity
        return ", ".join(f"undefer({owner}.{column})" for column in columns)
    return ".".join((defaultloads(load), *(f"undefer({load.entity}.{column})" for column in columns)))


def defaultloads(load: OrmLoad) -> str:
    """`defaultload` for each step of the path; "" where there is none."""
    steps = []
    for number, step in enumerate(load.path):
        owner, _, key = step.rpartition(".")
        steps.append(f"defaultload({ALIAS if load.aliased and number == 0 else owner}.{key})")
    return ".".join(steps)
