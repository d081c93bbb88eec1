"""One bound condition → what it asks of each table's column, in the words of `statement.Predicate`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from .deparse import NotIndexable, deparse, identifier, type_name
from .scopes import Occurrence, occurrences
from .statement import Predicate, PredicateKind
from .tree import Node, body, kind, literal, operator, strings, walk

Found = tuple[Occurrence, Predicate]

SAME_ROW = "compared with its own row"
VOLATILE = "compared with a value that changes from row to row"
CONVERTED = "converted to the other side's type"
PARAMETRIC = "an expression with a parameter in it"
"""In place of an operator: why the comparison can use no index."""

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "@>": "<@", "<@": "@>", "<<": ">>", ">>": "<<",
            "<<=": ">>=", ">>=": "<<=", "~": "", "~*": ""}  # fmt: skip
_KINDS: dict[str, PredicateKind] = {
    "=": "equality", "<": "range", "<=": "range", ">": "range", ">=": "range", "~~": "like", "~~*": "like",
    "~": "like", "~*": "like", "^@": "like-prefix", "@>": "contains", "<@": "contains", "&&": "contains",
    "<<": "contains", ">>": "contains", "&<": "contains", "&>": "contains", "-|-": "contains", "<<=": "contains",
    ">>=": "contains", "<<|": "contains", "|>>": "contains", "?": "key-exists", "?|": "key-exists",
    "?&": "key-exists", "@@": "full-text", "@?": "contains", "~=": "contains", "%": "like", "<%": "like",
}  # fmt: skip
_NAMES = {"~~": "LIKE", "~~*": "ILIKE"}
_TEXTS = ("text", "varchar", "name")
_INTEGERS = ("smallint", "integer", "bigint")
_FRACTIONS = ("numeric", "float8", "float4")
_VOLATILE = frozenset(
    ("random", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval", "setval")
)
_INDEXED_FUNCTIONS = frozenset(
    "starts_with st_intersects st_contains st_within st_dwithin st_covers st_coveredby st_overlaps st_touches st_crosses "
    "st_equals st_3dintersects st_containsproperly".split()
)
"""Functions that the planner turns into index conditions by their support functions."""
_DIGITLESS = frozenset("^$.*+?()[]{}|\\")


class _Side(NamedTuple):
    scan: Occurrence
    column: str | None
    expression: str
    fenced: bool = False
    cast: str = ""


def conjuncts(condition: Node) -> list[Node]:
    """The conditions that are ANDed."""
    found: list[Node] = []
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if node.get("BoolExpr", {}).get("boolop") == "AND_EXPR":
            waiting += reversed(node["BoolExpr"]["args"])
        else:
            found.append(node)
    return found


def predicates(condition: Node) -> list[Found]:
    """The predicates of one bound condition that is no AND; a condition joined by OR gives what all its branches share."""
    if condition.get("BoolExpr", {}).get("boolop") == "OR_EXPR":
        return _shared(branches(condition))
    return list(_predicates(condition))


def branches(condition: Node) -> list[list[Found]]:
    """The predicates of each branch of an OR."""
    return [
        [found for one in conjuncts(branch) for found in predicates(one)] for branch in condition["BoolExpr"]["args"]
    ]


def _shared(arms: list[list[Found]]) -> list[Found]:
    found = [one for one in arms[0] if all(one in arm for arm in arms[1:])]
    firsts = [arm[0] for arm in arms if len(arm) == 1]
    same = len(firsts) == len(arms) and len({(scan, one.column, one.expression) for scan, one in firsts}) == 1
    if same and all(one.kind in ("equality", "in") and not one.join for _, one in firsts):
        scan, one = firsts[0]
        found.append((scan, replace(one, operator="IN", kind="in", constant=None, parameter=None)))
    return found


def _predicates(node: Node) -> Iterator[Found]:
    name, fields = kind(node), body(node)
    if name == "BoolExpr":
        yield from _negated(fields["args"][0])
    elif name in ("Var", "Fenced"):
        if side := _side(node):
            yield side.scan, Predicate(side.column, side.expression, "=", "equality", constant="true")
    elif name == "NullTest":
        negated = fields["nulltesttype"] == "IS_NOT_NULL"
        if side := _side(fields["arg"]):
            operator_name = "IS NOT NULL" if negated else "IS NULL"
            yield side.scan, Predicate(*side[1:3], operator_name, "is-not-null" if negated else "is-null")
    elif name == "BooleanTest":
        side = _side(fields["arg"])
        if side and fields["booltesttype"] in ("IS_TRUE", "IS_FALSE"):
            value = "true" if fields["booltesttype"] == "IS_TRUE" else "false"
            yield side.scan, Predicate(*side[1:3], "IS", "equality", constant=value)
        else:
            yield from _other(node, "IS")
    elif name == "A_Expr":
        yield from _comparison(fields, node)
    elif (
        name == "FuncCall"
        and strings(fields["funcname"])[-1] in _INDEXED_FUNCTIONS
        and len(fields.get("args", ())) >= 2
    ):
        called = strings(fields["funcname"])[-1]
        for mine, value in (
            (fields["args"][:2], fields["args"][1::-1]) if called != "starts_with" else (fields["args"],)
        ):
            if side := _side(mine):
                form: PredicateKind = "like-prefix" if called == "starts_with" else "contains"
                yield from _made(side, "^@" if called == "starts_with" else called, form, value)
    else:
        yield from _other(node, name.upper())


def _negated(node: Node) -> Iterator[Found]:
    if kind(node) in ("Var", "Fenced"):
        if side := _side(node):
            yield side.scan, Predicate(side.column, side.expression, "=", "equality", constant="false")
    elif "NullTest" in node:
        turned = "IS_NULL" if node["NullTest"]["nulltesttype"] == "IS_NOT_NULL" else "IS_NOT_NULL"
        yield from _predicates({"NullTest": {**node["NullTest"], "nulltesttype": turned}})
    else:
        yield from _other(node, "NOT")


def _comparison(fields: Node, node: Node) -> Iterator[Found]:
    form, name = fields["kind"], operator(fields)
    left, right = fields.get("lexpr"), fields.get("rexpr")
    if left is None or right is None:
        yield from _other(node, name)
    elif form in ("AEXPR_BETWEEN", "AEXPR_BETWEEN_SYM"):
        low, high = right["List"]["items"]
        side = _side(left)
        if side and not occurrences(low) and not occurrences(high) and form == "AEXPR_BETWEEN":
            yield from _made(side, "BETWEEN", "range", low)
        else:
            yield from _two_sided(left, low, ">=", node)
            yield from _two_sided(left, high, "<=", node)
    elif form == "AEXPR_IN" and name == "=":
        yield from _in(left, right["List"]["items"], node)
    elif form == "AEXPR_OP_ANY" and name == "=":
        side = _side(left)
        yield from _made(side, "= ANY", "in", right) if side else _other(node, "= ANY")
    elif form in ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR"):
        if "RowExpr" in left and "RowExpr" in right:
            yield from _rows(left["RowExpr"]["args"], right["RowExpr"]["args"], name, node)
        else:
            yield from _two_sided(left, right, name, node, similar=form == "AEXPR_SIMILAR")
    else:
        spelled = {"AEXPR_DISTINCT": "IS DISTINCT FROM", "AEXPR_NOT_DISTINCT": "IS NOT DISTINCT FROM"}
        yield from _other(node, spelled.get(form, name))


def _in(left: Node, items: list[Node], node: Node) -> Iterator[Found]:
    if "RowExpr" in left and all("RowExpr" in item for item in items):
        for position, part in enumerate(left["RowExpr"]["args"]):
            if side := _side(part):
                values = [item["RowExpr"]["args"][position] for item in items]
                yield from _made(side, "IN", "in", {"List": {"items": values}}, row=True)
        return
    side = _side(left)
    if side is None:
        yield from _other(node, "IN")
        return
    yield from _made(side, "IN", "in", items[0] if len(items) == 1 else {"List": {"items": items}})


def _rows(left: list[Node], right: list[Node], name: str, node: Node) -> Iterator[Found]:
    if name not in ("=", "<", "<=", ">", ">=") or len(left) != len(right):
        yield from _other(node, name)
        return
    for one, other in zip(left, right, strict=True):
        for scan, found in _two_sided(one, other, name, node):
            yield scan, replace(found, row=True)


def _two_sided(left: Node, right: Node, name: str, node: Node, *, similar: bool = False) -> Iterator[Found]:
    """Both readings of `left op right`: each side that is made of one table's columns alone."""
    known = _KINDS.get(name)
    yielded = False
    if known is not None:
        for mine, value, sign in ((left, right, name), (right, left, _FLIPPED.get(name, name))):
            side = _side(mine)
            if similar and "FuncCall" in value:
                value = value["FuncCall"]["args"][0]
            if side is None or not sign or (mine is right and name in ("~~", "~~*", "^@", "?", "?|", "?&")):
                continue
            if mine is right and name == "@@" and side.scan in occurrences(left):
                continue
            form = _pattern_kind(sign, value) if known == "like" and not similar else known
            yield from _made(side, "SIMILAR TO" if similar else _NAMES.get(sign, sign), form, value)
            yielded = True
    if not yielded:
        yield from _other(node, PARAMETRIC if known is not None and any(map(_parametric, (left, right))) else name)


def _parametric(side: Node) -> bool:
    """Whether an index could hold it, were its parameters constants: `doc ->> $1`."""
    return len(occurrences(side)) == 1 and any("ParamRef" in one for one in walk(side))


def _pattern_kind(name: str, value: Node) -> PredicateKind:
    text = literal(value)
    if text is None or name in ("%", "<%", "~~*", "~*"):
        return "like"
    if name == "~~":
        return "like-prefix" if text and text[0] not in "%_" else "like"
    return "like-prefix" if text[:1] == "^" and text[1:2] not in ("", *_DIGITLESS) and "|" not in text else "like"


def _other(node: Node, name: str) -> Iterator[Found]:
    for scan in occurrences(node):
        names = dict.fromkeys(body(one)["column"] for one in walk(node) if "Var" in one and body(one)["scan"] is scan)
        for column in names:
            yield scan, Predicate(column, column, name, "other")


def _side(node: Node) -> _Side | None:
    """A condition's side that an index could hold: a column, or an expression of one table's columns alone."""
    fenced = "Fenced" in node
    if fenced:
        node = node["Fenced"]["of"]
    bare, cast = node, ""
    while "TypeCast" in bare and _harmless(bare["TypeCast"]):
        cast = f"::{type_name(bare['TypeCast']['typeName'])}{cast}"
        bare = bare["TypeCast"]["arg"]
    if "Var" in bare:
        return _Side(bare["Var"]["scan"], bare["Var"]["column"], identifier(bare["Var"]["column"]), fenced, cast)
    scans = occurrences(node)
    if len(scans) != 1:
        return None
    try:
        return _Side(scans[0], None, deparse(node), fenced)
    except NotIndexable:
        return None


def _same_row(side: _Side, name: str, value: Node) -> str | None:
    """A comparison of two columns of one row, in one spelling for both ways to write it; None for any other."""
    if side.column is None or "Var" not in value or value["Var"]["scan"] is not side.scan or name not in _FLIPPED:
        return None
    left, right = side.expression, identifier(value["Var"]["column"])
    return f"{left} {name} {right}" if name.startswith("<") else f"{right} {_FLIPPED[name]} {left}"


def _harmless(cast: Node) -> bool:
    """varchar → text is the same bytes: PostgreSQL still uses the index on the column."""
    wanted = strings(cast["typeName"]["names"])[-1]
    if wanted not in _TEXTS or cast["typeName"].get("arrayBounds"):
        return False
    if "Var" not in cast["arg"]:
        return "TypeCast" in cast["arg"]
    own = _type(cast["arg"]["Var"]["scan"], cast["arg"]["Var"]["column"])
    return own == "" or own.startswith(("text", "character varying", "varchar"))


def _type(scan: Occurrence, column: str | None) -> str:
    return (scan.types or {}).get(column or "", "")


def _made(side: _Side, name: str, form: PredicateKind, value: Node, *, row: bool = False) -> Iterator[Found]:
    foreign = occurrences(value)
    hindrance = (
        SAME_ROW
        if side.scan in foreign
        else VOLATILE
        if _moves(value)
        else CONVERTED
        if _converts(side, value, name)
        else ""
    )
    if hindrance:
        yield side.scan, Predicate(*side[1:3], hindrance, "other", _same_row(side, name, value))
        return
    join = bool(foreign) or any(kind(one) in ("Fenced", "Opaque") for one in walk(value))
    if join and side.fenced:
        return
    constant = parameter = None
    if not join:
        constant, parameter = _value(value)
    other = foreign[0].alias if foreign else ""
    yield side.scan, Predicate(*side[1:3], name, form, constant, parameter, join, other, row, side.cast)


def _value(value: Node) -> tuple[str | None, int | None]:
    """The literal's text and the placeholder's index; a list of literals is `('a', 'b')`."""
    if "List" in value:
        texts = [_value(item)[0] for item in value["List"]["items"]]
        known = [text for text in texts if text is not None]
        return (f"({', '.join(known)})" if known and len(known) == len(texts) else None), None
    bare = value
    while "TypeCast" in bare:
        bare = bare["TypeCast"]["arg"]
    if "ParamRef" in bare:
        return None, int(bare["ParamRef"].get("number", 1)) - 1
    negative = "A_Expr" in bare and "lexpr" not in bare["A_Expr"] and "A_Const" in bare["A_Expr"].get("rexpr", {})
    if ("A_Const" in bare and not bare["A_Const"].get("isnull")) or negative:
        try:
            return deparse(value), None
        except NotIndexable:
            return None, None
    return None, None


def _moves(value: Node) -> bool:
    """Whether the value changes from row to row without naming a column."""
    return any(kind(one) == "FuncCall" and strings(body(one)["funcname"])[-1] in _VOLATILE for one in walk(value))


def _converts(side: _Side, value: Node, name: str) -> bool:
    """Whether the value's type makes PostgreSQL convert the column, so that no index on it serves."""
    own = _type(side.scan, side.column)
    if side.column is None or not own or name not in ("=", "<", "<=", ">", ">=", "IN", "= ANY", "BETWEEN"):
        return False
    items = value["List"]["items"] if "List" in value else [value]
    for item in items:
        cast = strings(item["TypeCast"]["typeName"]["names"])[-1] if "TypeCast" in item else ""
        number = item.get("A_Const", {})
        if own in _INTEGERS and (cast in _FRACTIONS or ("fval" in number and not _whole(number))):
            return True
        if own.startswith("character(") and cast in _TEXTS:
            return True
    return False


def _whole(number: Node) -> bool:
    """An integer too large for int4 is kept as text, and is a bigint for PostgreSQL."""
    text = number["fval"].get("fval", "")
    return bool(text.isdigit() and len(text) < 19)
