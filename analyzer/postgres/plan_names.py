"""The names of functions and operators in a plan's own expressions, where views, policies and SQL functions are unfolded."""

import itertools
import json
from typing import Any

from ..errors import StatementError
from ..sql.tokens import significant

_NAMES = frozenset(
    ("Node Type", "Relation Name", "Schema", "Alias", "Index Name", "CTE Name", "Subplan Name", "Parent Relationship",
     "Strategy", "Partial Mode", "Join Type", "Scan Direction", "Command", "Operation", "Cache Mode", "Trigger Name")
)  # fmt: skip


def plan_names(document: str) -> tuple[frozenset[str], frozenset[str]]:
    """(functions, operators) of a plan from EXPLAIN (VERBOSE, FORMAT JSON). Raises StatementError when it is no JSON."""
    try:
        decoded = json.loads(document)
    except (ValueError, RecursionError):
        raise StatementError("the plan is not valid JSON and was not read") from None
    functions: set[str] = set()
    operators: set[str] = set()
    waiting: list[tuple[str, Any]] = [("", decoded)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, one) for one in value)
        elif isinstance(value, str) and key == "Function Name":
            functions.add(value)
        elif isinstance(value, str) and key not in _NAMES:
            tokens = significant(value)
            operators |= {token.text for token in tokens if token.kind == "operator"}
            functions |= {
                token.word or token.text.strip('"').replace('""', '"')
                for token, after in itertools.pairwise(tokens)
                if after.text == "(" and token.kind in ("word", "quoted")
            }
    return frozenset(functions), frozenset(operators)
