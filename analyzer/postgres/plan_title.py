"""The first line of a node in EXPLAIN's text, as the keys that the other formats have for it."""

import re

from .told_node import RawNode

_SIMPLE = {
    name: name
    for name in (
        "Result", "ProjectSet", "Append", "Merge Append", "Recursive Union", "BitmapAnd", "BitmapOr", "Gather",
        "Gather Merge", "Materialize", "Memoize", "Sort", "Incremental Sort", "Group", "WindowAgg", "Unique", "LockRows",
        "Limit", "Hash", "SetOp",
    )
}  # fmt: skip
_AGGREGATES = {
    "Aggregate": "Plain", "GroupAggregate": "Sorted", "HashAggregate": "Hashed", "MixedAggregate": "Mixed",
}  # fmt: skip
_SCANS = (
    "Seq Scan", "Sample Scan", "Index Only Scan", "Index Scan", "Bitmap Index Scan", "Bitmap Heap Scan", "Tid Range Scan",
    "Tid Scan", "Subquery Scan", "Function Scan", "Table Function Scan", "Values Scan", "CTE Scan",
    "Named Tuplestore Scan", "WorkTable Scan", "Foreign Scan",
)  # fmt: skip
_OPERATIONS = ("Insert", "Update", "Delete", "Merge")
_JOIN = re.compile(
    r"(Nested Loop|Hash|Merge)(?: (Left|Full|Right|Semi|Anti|Right Semi|Right Anti|Unique Inner|Unique Outer))?( Join)?\Z"
)
_NAME = r'(?:"(?:[^"]|"")*"|[^\s".]+)'
_TARGET = re.compile(rf"(?: Backward)?(?: using (?P<index>{_NAME}))?(?: on (?P<first>{_NAME})(?:\.(?P<second>{_NAME}))?(?: (?P<alias>{_NAME}))?)?\Z")  # fmt: skip
_NAMED = {
    "Function Scan": "Function Name",
    "Table Function Scan": "Table Function Name",
    "CTE Scan": "CTE Name",
    "WorkTable Scan": "CTE Name",
    "Named Tuplestore Scan": "Tuplestore Name",
}


def read_title(title: str) -> RawNode | None:
    """The keys of a title such as `Parallel Index Scan Backward using i on s.t a`; None when it begins no node."""
    raw: RawNode = {"Parallel Aware": False}
    for word, key in (("Parallel ", "Parallel Aware"), ("Async ", "Async Capable")):
        if title.startswith(word):
            raw[key] = True
            title = title.removeprefix(word)
    mode, _, rest = title.partition(" ")
    if mode in ("Partial", "Finalize") and rest:
        raw["Partial Mode"], title = mode, rest
    found = _simple(title) or _scan(title)
    return found | raw if found is not None else None


def _simple(title: str) -> RawNode | None:
    if title in _SIMPLE:
        return {"Node Type": title}
    if title in _AGGREGATES:
        return {"Node Type": "Aggregate", "Strategy": _AGGREGATES[title], "Partial Mode": "Simple"}
    if title.startswith(("SetOp ", "HashSetOp ")):
        word, _, command = title.partition(" ")
        return {"Node Type": "SetOp", "Strategy": "Sorted" if word == "SetOp" else "Hashed", "Command": command}
    join = _JOIN.match(title)
    if join and (join[3] or title == "Nested Loop"):
        return {"Node Type": "Nested Loop" if join[1] == "Nested Loop" else f"{join[1]} Join", "Join Type": join[2] or "Inner"}  # fmt: skip
    return None


def _scan(title: str) -> RawNode | None:
    if title.startswith("Custom Scan ("):
        provider, _, rest = title.removeprefix("Custom Scan (").partition(")")
        return {"Node Type": "Custom Scan", "Custom Plan Provider": provider} | (_target("Custom Scan", rest) or {})
    for kind in _SCANS:
        if title.startswith(kind):
            return _target(kind, title.removeprefix(kind))
    operation, _, rest = title.partition(" ")
    if operation in _OPERATIONS and (not rest or rest.startswith("on ")):
        found = _target("ModifyTable", f" {rest}" if rest else "")
        return found | {"Operation": operation} if found is not None else None
    if operation == "Foreign" and rest.startswith(_OPERATIONS):
        word, _, rest = rest.partition(" ")
        found = _target("Foreign Scan", f" {rest}" if rest else "")
        return found | {"Operation": word} if found is not None else None
    return None


def _target(kind: str, rest: str) -> RawNode | None:
    match = _TARGET.match(rest)
    if match is None:
        return None
    raw: RawNode = {"Node Type": kind}
    first, second, alias = (_bare(match[name]) for name in ("first", "second", "alias"))
    if kind == "Bitmap Index Scan":
        return raw | {"Index Name": first}
    if kind in ("Index Scan", "Index Only Scan"):
        raw["Scan Direction"] = "Backward" if rest.startswith(" Backward") else "Forward"
        raw["Index Name"] = _bare(match["index"])
    if first is None:
        return raw
    schema, name = (first, second) if second is not None else (None, first)
    if schema is not None:
        raw["Schema"] = schema
    raw["Alias"] = alias or name
    if kind in _NAMED:
        raw[_NAMED[kind]] = name
    elif kind not in ("Subquery Scan", "Values Scan"):
        raw["Relation Name"] = name
    return raw


def _bare(name: str | None) -> str | None:
    return name[1:-1].replace('""', '"') if name is not None and name.startswith('"') else name
