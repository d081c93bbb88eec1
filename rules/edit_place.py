"""Where a statement is made that another function only sends."""

from collections.abc import Sequence

from ..analyzer.query import CallSite
from ..analyzer.workload import Execution
from .source import statement_parameter

MOST_STEPS = 3
"""Functions that a statement is handed through."""


def edit_place(place: CallSite | None, queries: Sequence[Execution]) -> CallSite | None:
    """The line to edit for queries sent at the place: that line, or the one line of a caller that hands their statement in. Where
    several do, each has a statement of its own, and the place stays."""
    found, parameter = place, None
    for step in range(1, MOST_STEPS + 1):
        callers = {one.stack[step] if len(one.stack) > step else None for one in queries}
        caller = callers.pop() if len(callers) == 1 else None
        parameter = statement_parameter(found, parameter) if found is not None else None
        if caller is None or parameter is None:
            break
        found = caller
    return found
