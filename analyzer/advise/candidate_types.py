"""What PostgreSQL's types can be indexed by, and which expressions an index can hold at all."""

from collections.abc import Iterator
from functools import lru_cache

from ..schema import Column, Schema, Table
from ..sql.tree import Node, TreeError, body, kind, operator, parse_tree, strings, walk

_NO_BTREE = frozenset(
    "json xml point polygon box circle path line lseg tsvector tsquery jsonb geometry geography vector halfvec sparsevec "
    "aclitem ltxtquery lquery box2d box3d raster".split()
)
GEOMETRY = frozenset(("point", "box", "polygon", "circle", "geometry", "geography"))
NETWORK = frozenset(("inet", "cidr"))
RANGES = frozenset(("int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"))
"""Each is also the name of the function that makes one of its two ends."""
MAX_KEY_WIDTH = 800
"""Bytes of all keys: a B-tree entry may not exceed 2,704, and wide entries make a deep tree."""

TZ, PLAIN = "timestamp with time zone", "timestamp without time zone"
_NAMES = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
    "bool": "boolean", "varchar": "character varying", "bpchar": "character", "timestamptz": TZ, "timestamp": PLAIN,
    "timetz": "time with time zone", "time": "time without time zone",
}  # fmt: skip
_TIMES = frozenset((TZ, PLAIN, "date", "time with time zone", "time without time zone", "interval"))
_IMMUTABLE_FROM_TEXT = frozenset(
    "smallint integer bigint real numeric boolean uuid json jsonb text name bytea bit".split()
) | {"double precision", "character varying", "character", "bit varying"}
_IMMUTABLE_TO_TEXT = _IMMUTABLE_FROM_TEXT | frozenset(("inet", "cidr", "macaddr", "xml", "tsvector"))
_TEXT = frozenset(("text", "character varying", "character", "name"))
_TEXT_FUNCTIONS = frozenset(
    "lower upper trim btrim ltrim rtrim substr substring left right replace md5 initcap".split()
)
_DISTANCES = frozenset(("<->", "<=>", "<#>", "<+>", "<~>", "<%>", "<<->", "<->>", "<<<->", "<->>>"))
_STABLE = frozenset(
    "now age to_char to_date to_timestamp timeofday concat concat_ws format unaccent current_setting to_json to_jsonb "
    "row_to_json array_to_string date_part".split()
)
"""For when the server's own list is not at hand (`Schema.functions` is empty)."""


def base(type_name: str) -> str:
    """The type without length or precision: `character varying(36)` is `character varying`."""
    head, _, tail = type_name.partition("(")
    return (head + tail.partition(")")[2]).strip()


def sortable(column: Column) -> bool:
    """Whether a B-tree can hold the column."""
    return base(column.type).removesuffix("[]") not in _NO_BTREE and (column.average_width or 0) <= MAX_KEY_WIDTH


def is_range(column: Column) -> bool:
    """Range and multirange types, by PostgreSQL's own names."""
    return base(column.type).endswith(("range", "multirange"))


def is_text(column: Column) -> bool:
    """text, varchar and char."""
    return base(column.type) in _TEXT


def why_not_indexable(expression: str, table: Table, schema: Schema) -> str | None:
    """Why no index can hold the expression, or None. What PostgreSQL itself would refuse: expressions that are not immutable."""
    try:
        node = _parsed(expression)
    except (TreeError, KeyError, IndexError):
        return "its text was not understood"
    return next(_faults(node, table, schema), None)


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Node:
    node: Node = parse_tree(f"SELECT {expression}")["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    return node


def _faults(node: Node, table: Table, schema: Schema) -> Iterator[str]:
    for one in walk(node):
        fields = body(one)
        if kind(one) == "FuncCall":
            yield from _function_faults(fields, table, schema)
        elif kind(one) == "TypeCast":
            own, wanted = type_of(fields["arg"], table), _type_name(fields["typeName"])
            if "A_Const" not in fields["arg"] and _changes_with_settings(own, wanted):
                settings = "TimeZone" if TZ in (own, wanted) else "DateStyle and the like"
                yield f"the cast from {own or 'its type'} to {wanted} depends on {settings}: it is not immutable"
        elif kind(one) == "A_Expr" and operator(fields) in _DISTANCES:
            yield "an index of distances would serve this one place or word"
        elif kind(one) == "A_Expr" and operator(fields) in ("+", "-", "<", ">", "=", "<=", ">="):
            sides = {type_of(fields.get(side, {}), table) for side in ("lexpr", "rexpr")}
            if TZ in sides and (operator(fields) in ("+",) or sides & {PLAIN, "date", "interval"}):
                yield "arithmetic on timestamp with time zone depends on TimeZone: it is not immutable"


def _function_faults(call: Node, table: Table, schema: Schema) -> Iterator[str]:
    name = strings(call["funcname"])[-1]
    arguments = call.get("args") or []
    if not arguments:
        yield f"{name}() is not immutable"
        return
    types = [type_of(argument, table) for argument in arguments]
    if not schema.functions and (name in _STABLE or (name in ("date_trunc", "extract") and types[-1] in (TZ, "date"))):
        yield f"{name} is stable, not immutable, for these arguments"
    if name == "to_tsvector" and len(arguments) == 1:
        yield "to_tsvector without a configuration depends on default_text_search_config: name one, as in 'english'"
        return
    for function in schema.functions:
        if function.name == name and _matches(function.arguments, types):
            yield f"{name}({', '.join(function.arguments)}) is {function.volatility}, not immutable"
            return


def _matches(wanted: tuple[str, ...], given: list[str]) -> bool:
    if '"any"' in wanted:
        return True
    if len(wanted) != len(given):
        return False
    return all(_takes(one, own) for one, own in zip(wanted, given, strict=True))


def _takes(wanted: str, own: str) -> bool:
    if own == "" or wanted == own or wanted.startswith("any"):
        return True
    return (wanted == TZ and own == "date") or (wanted == "text" and own in _TEXT)


def type_of(node: Node, table: Table) -> str:
    """The expression's type by `format_type`'s name, or "" when it cannot be told from here."""
    if "ColumnRef" in node or "Var" in node:
        name = node["Var"]["column"] if "Var" in node else strings(node["ColumnRef"]["fields"])[-1]
        column = table.column(name)
        return base(column.type) if column is not None else ""
    if "TypeCast" in node:
        return _type_name(node["TypeCast"]["typeName"])
    if "A_Const" in node:
        return "text" if "sval" in node["A_Const"] else "integer" if "ival" in node["A_Const"] else ""
    if "FuncCall" in node:
        return _result_type(node["FuncCall"], table)
    if "A_Expr" in node:
        name = operator(node["A_Expr"])
        if name in ("->>", "#>>", "||"):
            return "text"
        if name in ("->", "#>"):
            return type_of(node["A_Expr"].get("lexpr", {}), table)
    if "CoalesceExpr" in node:
        return type_of(node["CoalesceExpr"]["args"][0], table)
    return ""


def expression_type(expression: str, table: Table) -> str:
    """The type of an expression given as text."""
    try:
        return type_of(_parsed(expression), table)
    except (TreeError, KeyError, IndexError):
        return ""


def _result_type(call: Node, table: Table) -> str:
    name, arguments = strings(call["funcname"])[-1], call.get("args") or []
    if name in _TEXT_FUNCTIONS:
        return "text"
    if name == "to_tsvector":
        return "tsvector"
    if name in RANGES:
        return name
    if name == "date_trunc" and len(arguments) >= 2:
        own = type_of(arguments[1], table)
        return TZ if own == "date" else own
    if name == "timezone" and len(arguments) == 2:
        return {TZ: PLAIN, PLAIN: TZ}.get(type_of(arguments[1], table), "")
    return {"extract": "numeric", "date_part": "double precision", "length": "integer"}.get(name, "")


def _type_name(node: Node) -> str:
    name = strings(node["names"])[-1]
    return _NAMES.get(name, name) + "[]" * len(node.get("arrayBounds") or [])


def _changes_with_settings(own: str, wanted: str) -> bool:
    if own == "":
        return wanted in _TIMES or wanted in _TEXT
    if own == wanted:
        return False
    if own == TZ or wanted == TZ:
        return True
    if own in _TEXT:
        return wanted not in _IMMUTABLE_FROM_TEXT
    return wanted in _TEXT and own not in _IMMUTABLE_TO_TEXT
