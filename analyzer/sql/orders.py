"""What orders and groups a query level asks for, noted on the one table that could give them."""

from collections.abc import Callable, Sequence

from .deparse import NotIndexable, deparse
from .scopes import OPAQUE, Derived, Occurrence, occurrences, reference, touch
from .statement import OrderKey
from .tree import Node, body, calls, kind, operator, strings, walk

Bind = Callable[[Node], Node]

AGGREGATES = frozenset(
    "count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or "
    "every bit_and bit_or bit_xor any_value stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop "
    "covar_samp regr_slope regr_intercept regr_count regr_r2 regr_avgx regr_avgy mode percentile_cont percentile_disc "
    "range_agg range_intersect_agg xmlagg grouping json_arrayagg json_objectagg".split()
)
DISTANCES = ("<->", "<#>", "<=>", "<+>", "<~>", "<%>", "|=|", "<<->", "<->>", "<<<->", "<->>>")


def level_orders(
    fields: Node, outputs: dict[str, Node], own: frozenset[Occurrence], bind: Bind, arms: Sequence[Derived] = ()
) -> None:
    """Note ORDER BY with LIMIT, GROUP BY, DISTINCT, windows, min and max. arms: of a set operation."""
    order = [(_key(body(item)["node"], outputs, bind), body(item)) for item in fields.get("sortClause") or []]
    touch([node for node, _ in order])
    limited = fields.get("limitCount") is not None
    if arms:
        if fields.get("all") and limited and fields["op"] == "SETOP_UNION":
            _arms_order(fields, outputs, arms)
        return
    group = [_key(item, outputs, bind) for item in fields.get("groupClause") or [] if "GroupingSet" not in item]
    touch(group)
    plain_distinct = fields.get("distinctClause") == [{}]
    distinct = (
        list(outputs.values())
        if plain_distinct
        else [_key(item, outputs, bind) for item in fields.get("distinctClause") or []]
    )
    called = calls(fields.get("targetList") or [])
    extremes = [call for call in called if strings(call["funcname"])[-1] in ("min", "max") and "over" not in call]
    folded = bool(group or fields.get("distinctClause") or fields.get("groupClause"))
    _note_order(order, limited and not folded and not _aggregated(outputs))
    if (table := _single(group)) is not None:
        table.group = tuple(_texts(group))
    if (table := _single(distinct)) is not None:
        table.distinct = tuple(_texts(distinct))
    if extremes and len(own) == 1 and not folded and len(extremes) == len([c for c in called if _is_aggregate(c)]):
        for call in extremes:
            bound = bind(call["args"][0]) if len(call.get("args") or []) == 1 else OPAQUE
            if "Var" in bound:
                bound["Var"]["scan"].extremes.append(bound["Var"]["column"])
    _note_windows(fields, called, bind)


def _key(node: Node, outputs: dict[str, Node], bind: Bind) -> Node:
    """A key: an ordinal or an output's name stands for that output."""
    number = node.get("A_Const", {}).get("ival", {}).get("ival")
    if number and number <= len(outputs):
        found: Node = list(outputs.values())[number - 1]
        return found
    if "ColumnRef" in node:
        names = reference(node)
        if len(names) == 1 and names[0] in outputs:
            return outputs[names[0]]
    return bind(node)


def _note_order(order: Sequence[tuple[Node, Node]], limited: bool) -> None:
    table = _single([node for node, _ in order])
    if table is None:
        return
    keys = [_order_key(node, item) for node, item in order]
    found = [key for key in keys if key is not None]
    if len(found) == len(keys):
        table.order = tuple(found)
        table.limited = limited


def _order_key(node: Node, item: Node) -> OrderKey | None:
    descending = item.get("sortby_dir") == "SORTBY_DESC"
    nulls = item.get("sortby_nulls", "SORTBY_NULLS_DEFAULT")
    nulls_first = descending if nulls == "SORTBY_NULLS_DEFAULT" else nulls == "SORTBY_NULLS_FIRST"
    if item.get("sortby_dir") == "SORTBY_USING":
        return None
    try:
        if "Var" in node:
            return OrderKey(node["Var"]["column"], deparse(node), descending, nulls_first)
        expression = node.get("A_Expr", {})
        if operator(expression) in DISTANCES:
            for side in (expression.get("lexpr", {}), expression.get("rexpr", {})):
                if "Var" in side:
                    return OrderKey(side["Var"]["column"], deparse(side), descending, nulls_first, operator(expression))
            return None
        return OrderKey(None, deparse(node), descending, nulls_first)
    except NotIndexable:
        return None


def _arms_order(fields: Node, outputs: dict[str, Node], arms: Sequence[Derived]) -> None:
    """UNION ALL merges arms that come in order: each arm's table may give it."""
    names = list(outputs)
    for arm in arms:
        own = list(arm.outputs.values())
        order = []
        for item in fields.get("sortClause") or []:
            node = body(item)["node"]
            number = node.get("A_Const", {}).get("ival", {}).get("ival", 0)
            if "ColumnRef" in node and reference(node)[-1] in names:
                number = names.index(reference(node)[-1]) + 1
            order.append((own[number - 1] if 0 < number <= len(own) else OPAQUE, body(item)))
        if arm.simple:
            _note_order(order, limited=True)


def _note_windows(fields: Node, called: Sequence[Node], bind: Bind) -> None:
    named = {body(item)["name"]: body(item) for item in fields.get("windowClause") or [] if "name" in body(item)}
    for call in called:
        if "over" not in call:
            continue
        over: Node = call["over"]
        over = named.get(over.get("name") or over.get("refname", ""), over)
        parts = [bind(one) for one in over.get("partitionClause") or []]
        order = [(bind(body(one)["node"]), body(one)) for one in over.get("orderClause") or []]
        touch([parts, [node for node, _ in order]])
        table = _single([*parts, *(node for node, _ in order)])
        if table is None:
            continue
        keys = [_order_key(part, {}) for part in parts] + [_order_key(node, item) for node, item in order]
        found = tuple(key for key in keys if key is not None)
        if len(found) == len(keys) and found not in table.windows:
            table.windows.append(found)


def _single(nodes: Sequence[Node]) -> Occurrence | None:
    """The one table that all the keys are made of, none of them behind a fence."""
    if not nodes or any(kind(one) in ("Fenced", "Arms", "Opaque") for node in nodes for one in walk(node)):
        return None
    scans = [occurrences(node) for node in nodes]
    return scans[0][0] if all(len(one) == 1 for one in scans) and len({one[0] for one in scans}) == 1 else None


def _texts(nodes: Sequence[Node]) -> list[str]:
    try:
        return [node["Var"]["column"] if "Var" in node else deparse(node) for node in nodes]
    except NotIndexable:
        return []


def _is_aggregate(call: Node) -> bool:
    return "over" not in call and (strings(call["funcname"])[-1] in AGGREGATES or bool(call.get("agg_star")))


def _aggregated(outputs: dict[str, Node]) -> bool:
    return any(
        _is_aggregate(body(one))
        for output in outputs.values()
        for one in walk(output, inside=False)
        if kind(one) == "FuncCall"
    )
