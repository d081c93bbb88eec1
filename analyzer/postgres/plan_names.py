"""The names of functions and operators in a plan's own expressions, where views, policies and SQL functions are unfolded."""

import itertools
import json
from typing import Any

from ..errors import StatementError
from ..sql.tokens import significant

_NAMES = frozenset(
    ("Node Type", "Relation Name", "Schema", "Alias", "Index Name", "CTE Name", "Subplan Name", "Parent Relationship",
     "Strategy", "Partial Mode", "Join Type", "Scan Direction", "Command", "Operation", "Cache Mode", "Trigger Name",
     "Function Name")
)  # fmt: skip


def plan_names(document: str) -> tuple[frozenset[str], frozenset[str]]:
    """(functions, operators) of a plan from EXPLAIN (VERBOSE, FORMAT JSON); functions as `name` where the search_path finds
    them, else as `schema.name`. Raises StatementError when it is no JSON."""
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
            if isinstance(value.get("Function Name"), str):
                functions.add(".".join(filter(None, (value.get("Schema"), value["Function Name"]))))
        elif isinstance(value, list):
            waiting.extend((key, one) for one in value)
        elif isinstance(value, str) and key not in _NAMES:
            tokens = significant(value)
            operators |= {token.text for token in tokens if token.kind == "operator"}
            functions |= {
                f"{tokens[n - 2].name}.{token.name}" if n > 1 and tokens[n - 1].text == "." else token.name
                for n, (token, after) in enumerate(itertools.pairwise(tokens))
                if after.text == "(" and token.kind in ("word", "quoted")
            }
    return frozenset(functions), frozenset(operators)
