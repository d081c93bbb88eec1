"""Whether the code that sends a statement awaits it."""

import ast

from ..analyzer.workload import Execution
from .source import source_statement


def awaits(execution: Execution) -> bool:
    """Sent in an asyncio task by a driver that is awaited, and not from a plain function, as `run_sync` calls it, where the source
    tells."""
    place = execution.call_site
    if place is not None and place.function.endswith("<lambda>"):
        # Nothing can be awaited in one.
        return False
    found = source_statement(place) if execution.awaited and place is not None else None
    return execution.awaited and not (found is not None and isinstance(found[1], ast.FunctionDef | ast.Lambda))
