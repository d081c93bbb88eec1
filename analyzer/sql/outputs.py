"""What a SELECT gives to the one around it, under which names."""

from collections.abc import Iterator
from typing import Any

from .orders import AGGREGATES
from .scopes import Derived, Level, variables
from .tree import Node, body, calls, strings

_SET_RETURNING = frozenset(
    "unnest generate_series regexp_split_to_table regexp_matches string_to_table jsonb_array_elements "
    "jsonb_array_elements_text json_array_elements json_array_elements_text jsonb_each jsonb_object_keys".split()
)


def derived_from(fields: Node, outputs: dict[str, Node], level: Level, closed: bool, bind: Any) -> Derived:
    """What conditions around the SELECT may reach in it."""
    called = calls(fields.get("targetList") or [])
    names = {strings(call["funcname"])[-1] for call in called if "over" not in call}
    aggregated = bool(names & AGGREGATES) or any(
        "over" not in call and (call.get("agg_star") or call.get("agg_filter") or call.get("agg_within_group"))
        for call in called
    )
    windowed = any("over" in call for call in called)
    cut = any(part in fields for part in ("limitCount", "limitOffset", "valuesLists", "lockingClause"))
    grouped, distinct = fields.get("groupClause"), fields.get("distinctClause")
    folded = aggregated or windowed or grouped or distinct or "havingClause" in fields or bool(names & _SET_RETURNING)
    pushable: set[str] = set()
    if grouped and not cut and not windowed:
        keys = {
            (id(one["scan"]), one["column"]) for key in _group_keys(fields, outputs, bind) for one in variables(key)
        }
        pushable = {
            name
            for name, output in outputs.items()
            if "Var" in output and (id(output["Var"]["scan"]), output["Var"]["column"]) in keys
        }
    elif distinct == [{}] and not cut and not windowed and not aggregated:
        pushable = set(outputs)
    return Derived(outputs, level, not (cut or folded), frozenset(pushable), closed)


def _group_keys(fields: Node, outputs: dict[str, Node], bind: Any) -> Iterator[Node]:
    for key in fields["groupClause"]:
        if "GroupingSet" in key:
            continue
        number = key.get("A_Const", {}).get("ival", {}).get("ival")
        yield list(outputs.values())[number - 1] if number and number <= len(outputs) else bind(key)


def plain_outputs(fields: Node) -> tuple[tuple[str, str] | None, ...]:
    """See `Statement.outputs`."""
    found: list[tuple[str, str] | None] = []
    for item in fields.get("targetList") or []:
        names = strings(body(item).get("val", {}).get("ColumnRef", {}).get("fields") or [])
        found.append((names[-2] if len(names) > 1 else "", names[-1]) if names and names[-1] != "*" else None)
    return tuple(found)


def plain_sources(fields: Node) -> tuple[str, ...]:
    """See `Statement.sources`."""
    found: list[str] = []
    waiting = list(fields.get("fromClause") or [])
    while waiting:
        node = waiting.pop()
        part = body(node)
        if "JoinExpr" in node:
            waiting += [part["larg"], part["rarg"]]
        elif "RangeVar" in node:
            found.append(part.get("alias", {}).get("aliasname") or part["relname"])
    return tuple(sorted(found))


def implied_name(value: Node) -> str:
    """The name that PostgreSQL gives an output without one of its own; empty when it is `?column?`."""
    if "FuncCall" in value:
        return strings(value["FuncCall"]["funcname"])[-1]
    return implied_name(value["TypeCast"]["arg"]) if "TypeCast" in value else ""


def renamed(derived: Derived, names: list[str]) -> Derived:
    """The same with its first outputs renamed, as in `AS v (a, b)`."""
    if not names:
        return derived
    own = list(derived.outputs)
    new = dict(zip(own, [*names, *own[len(names) :]], strict=False))
    return Derived(
        {new[name]: output for name, output in derived.outputs.items()},
        derived.inner,
        derived.simple,
        frozenset(new[name] for name in derived.pushable if name in new),
        derived.closed,
    )
