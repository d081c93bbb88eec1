"""Whether an existing index already serves whatever a candidate would."""

from functools import lru_cache
from typing import Any

from ..schema import Index, Table
from ..sql.deparse import NotIndexable, deparse, identifier
from ..sql.identifier import unquote_identifier
from ..sql.statement import TableScan
from ..sql.tokens import names_in
from ..sql.tree import Node, TreeError, body, kind, operator, parse_tree, strings, walk
from .candidate_index import CandidateIndex, Key

_DEFAULT_CLASSES = {"jsonb_path_ops": ("jsonb_path_ops", "jsonb_ops")}
_NARROW = ("_path_ops", "trgm_ops", "_bloom_ops")
"""Ends of the names of operator classes that serve fewer operators than the default ones of their access methods."""
_BYTEWISE = frozenset(("C", "POSIX", "ucs_basic", "pg_c_utf8"))
_MAX_TEXT = 10_000
"""Characters; a longer expression is compared as it stands."""


def already_there(
    candidate: CandidateIndex,
    table: Table,
    free: int = 0,
    patterns: frozenset[str] = frozenset(),
    implied: frozenset[str] = frozenset(),
) -> str | None:
    """Name of a valid existing index that serves whatever the candidate would, or None.

    free: how many leading keys are compared for equality only, so that their order does not matter. patterns: keys that are
    asked for by LIKE 'x%', which a pattern operator class serves under every collation. implied: conditions that the scan fulfils, in `canonical` spelling: a
    partial index on one of them serves the scan like a full one. A B-tree serves when the
    candidate's keys are its prefix (forwards or backwards) and its columns cover the candidate's.
    """
    return next(
        (index.name for index in table.indexes if _serves(index, candidate, table, free, patterns, implied)), None
    )


def unique_lookup(table: Table, equal: frozenset[str]) -> str | None:
    """Name of the unique index whose every key is compared for equality, so that one row at most is found."""
    for index in table.indexes:
        if (
            index.unique
            and index.valid
            and index.predicate is None
            and {_bare(name) for name in index.columns} <= equal
            and all(collated(index, place, name, table) for place, name in enumerate(index.columns))
        ):
            return index.name
    return None


def conditions(scan: TableScan) -> frozenset[str]:
    """What the rows that the scan wants fulfil, in `canonical` spelling."""
    found = set()
    for one in scan.predicates:
        if one.kind in ("is-null", "is-not-null"):
            found.add(canonical(f"{one.expression} {one.operator}"))
        elif one.kind != "other":
            # A comparison is never true of NULL.
            found.add(canonical(f"{one.expression} IS NOT NULL"))
        if one.kind == "equality" and one.constant is not None:
            found.add(canonical(f"{one.expression} = {one.constant}"))
        elif one.kind == "in" and one.constant is not None:
            listed = one.constant if one.constant.startswith("(") else f"({one.constant})"
            found.add(canonical(f"{one.expression} IN {listed}"))
    return frozenset(found)


def collated(index: Index, position: int, key: str, table: Table) -> bool:
    """Whether the index orders this key of its as a query on the key would: PostgreSQL uses no index of another collation, not
    even for equality."""
    own = index.collations[position] if position < len(index.collations) else ""
    column = table.column(key) or table.column(_bare(key))
    if not own or " COLLATE " in key:
        return True
    if column is not None:
        return own == (column.collation or own)
    named = {one.collation for one in table.columns if one.collation and one.name in names_in(key)}
    return own in (named or {"default"})


def _serves(
    index: Index,
    candidate: CandidateIndex,
    table: Table,
    free: int,
    patterns: frozenset[str],
    implied: frozenset[str],
) -> bool:
    if not index.valid:
        return False
    if index.predicate is not None:
        condition = canonical(index.predicate)
        if condition not in implied and (candidate.predicate is None or condition != canonical(candidate.predicate)):
            return False
    if candidate.unique and not index.unique:
        return False
    if (
        index.predicate is None
        and candidate.predicate is not None
        and not _names(candidate.predicate) <= set(map(_bare, index.columns))
    ):
        # A full index does not hold what the condition asks, so the partial one may still be worth it.
        return False
    if candidate.method == "btree" == index.method:
        return _prefix(index, candidate, table, free, patterns) and _covers(index, candidate)
    if candidate.method in ("hash", "brin") and index.method == "btree":
        first = candidate.keys[0]
        same = _columns(index)[:1] == [_text(first)] and not _pattern(index, 0)
        return same and collated(index, 0, _named(first), table)
    return index.method == candidate.method and _same_keys(index, candidate, table)


def _prefix(index: Index, candidate: CandidateIndex, table: Table, free: int, patterns: frozenset[str]) -> bool:
    own, wanted = _columns(index), [_text(key) for key in candidate.keys]
    if len(wanted) > len(own):
        return False
    # A pattern operator class serves equality and LIKE; the default one serves LIKE under the C collation only.
    for position, key in enumerate(candidate.keys):
        place = own.index(_text(key)) if _text(key) in own else position
        prefixes = _pattern(index, place) or _bytewise(index, place)
        if key.operator_class:
            if not prefixes:
                return False
        elif not collated(index, place, _named(key), table) and not (_text(key) in patterns and prefixes):
            return False
        asked = key.operator_class is None and position >= free and _text(key) not in patterns
        if asked and position < len(own) and _pattern(index, position):
            return False
    if set(own[:free]) != set(wanted[:free]) or own[free : len(wanted)] != wanted[free:]:
        return False
    flags = [_flags(index, position) for position in range(free, len(wanted))]
    keys = [_flags_of(key) for key in candidate.keys[free:]]
    # Without an order asked for, where a single range key puts its NULLs does not matter.
    single = len(keys) == 1 and candidate.shape != "sort"
    return single or flags == keys or flags == [(not one, not other) for one, other in keys]


def _covers(index: Index, candidate: CandidateIndex) -> bool:
    carried = {_bare(name) for name in (*index.columns, *index.include)}
    return set(candidate.include) <= carried


def _same_keys(index: Index, candidate: CandidateIndex, table: Table) -> bool:
    own = _columns(index)
    for key in candidate.keys:
        if _text(key) not in own:
            return False
        allowed = _DEFAULT_CLASSES.get(key.operator_class or "", (key.operator_class,))
        position = own.index(_text(key))
        classes = index.operator_classes
        if not collated(index, position, _named(key), table):
            return False
        if key.operator_class and position < len(classes) and classes[position] not in allowed:
            return False
        if not key.operator_class and position < len(classes) and classes[position].endswith(_NARROW):
            return False
    return candidate.method in ("gin", "gist", "brin") or len(own) == len(candidate.keys)


def _columns(index: Index) -> list[str]:
    return [canonical(column) for column in index.columns]


@lru_cache(maxsize=4096)
def _names(condition: str) -> set[str]:
    try:
        tree = parse_tree(f"SELECT {condition}")
    except TreeError:
        return {condition}
    return {strings(body(one)["fields"])[-1] for one in walk(tree) if kind(one) == "ColumnRef"}


def _text(key: Key) -> str:
    return identifier(key.column) if key.column is not None else canonical(key.expression)


def _pattern(index: Index, position: int) -> bool:
    classes = index.operator_classes
    return position < len(classes) and classes[position].endswith("_pattern_ops")


def _bytewise(index: Index, position: int) -> bool:
    return position < len(index.collations) and index.collations[position] in _BYTEWISE


def _named(key: Key) -> str:
    return key.column if key.column is not None else key.expression


def _flags(index: Index, position: int) -> tuple[bool, bool]:
    descending = position < len(index.descending) and index.descending[position]
    return descending, index.nulls_first[position] if position < len(index.nulls_first) else descending


def _flags_of(key: Key) -> tuple[bool, bool]:
    return key.descending, key.descending if key.nulls_first is None else key.nulls_first


def _bare(column: str) -> str:
    return unquote_identifier(column.removesuffix(" DESC").strip())


@lru_cache(maxsize=16384)
def canonical(expression: str) -> str:
    """The expression in one spelling: as PostgreSQL prints it and as a statement wrote it come out alike."""
    if len(expression) > _MAX_TEXT:
        return expression
    try:
        node = parse_tree(f"SELECT {expression}")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
        return deparse(_plain(node))
    except (TreeError, NotIndexable, KeyError, RecursionError):
        return expression


def _plain(node: Any) -> Any:
    """Casts that PostgreSQL adds when it prints are taken away; lists and booleans are written in one way."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "TypeCast" in node:
        argument = _plain(node["TypeCast"]["arg"])
        wanted = strings(node["TypeCast"]["typeName"]["names"])[-1]
        if "A_Const" in argument or (wanted in ("text", "varchar") and "ColumnRef" in argument):
            return argument
    if "A_Expr" in node:
        return _plain_comparison({name: _plain(part) for name, part in node["A_Expr"].items()})
    return {name: _plain(part) for name, part in node.items()}


def _plain_comparison(fields: Node) -> Node:
    right = fields.get("rexpr", {})
    if fields["kind"] == "AEXPR_IN" and operator(fields) == "=":
        items = right["List"]["items"]
        return _call("= ANY", [fields["lexpr"], *items])
    if fields["kind"] == "AEXPR_OP_ANY" and "A_ArrayExpr" in right:
        return _call("= ANY", [fields["lexpr"], *right["A_ArrayExpr"].get("elements", [])])
    if fields["kind"] == "AEXPR_OP" and operator(fields) == "=" and "boolval" in right.get("A_Const", {}):
        if right["A_Const"]["boolval"].get("boolval"):
            plain: Node = fields["lexpr"]
            return plain
        return {"BoolExpr": {"boolop": "NOT_EXPR", "args": [fields["lexpr"]]}}
    return {"A_Expr": fields}


def _call(name: str, arguments: list[Node]) -> Node:
    return {"FuncCall": {"funcname": [{"String": {"sval": name}}], "args": arguments}}
