"""EXPLAIN's text → the document that FORMAT JSON would have given."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import StatementError
from .plan_text_properties import BUFFER_WORDS, NUMBER, READERS, buffers, io_timings, serialization
from .plan_title import read_title
from .told_node import RawNode

_NODE = re.compile(
    r"(?P<title>\S.*?)"
    r"(?:  \(cost=(?P<startup>[\d.]+)\.\.(?P<total>[\d.]+) rows=(?P<rows>\d+) width=(?P<width>\d+)\))?"
    r"(?: \((?:actual (?:time=(?P<begin>[\d.]+)\.\.(?P<end>[\d.]+) )?rows=(?P<actual>[\d.]+) loops=(?P<loops>[\d.]+)"
    r"|(?P<never>never executed))\))?\Z"
)
_WORKER = re.compile(r"Worker (\d+):  ?(?:actual (?:time=([\d.]+)\.\.([\d.]+) )?rows=([\d.]+) loops=([\d.]+))?(.*)\Z")
_LABEL = re.compile(r"(?:InitPlan|SubPlan) \d+(?: \(returns [^()]*\))?\Z|CTE .+\Z")
_TRIGGER = re.compile(
    r"Trigger(?: (?P<name>.+?))??(?: for constraint (?P<constraint>.+?))?(?: on (?P<relation>.+?))?: "
    r"(?:time=(?P<time>[\d.]+) )?calls=(?P<calls>[\d.]+)\Z"
)
_PROPERTY = re.compile(r"([A-Z][A-Za-z0-9/ -]*):(?: (.*))?\Z", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'')
_TEXTS = frozenset(
    ("Filter", "Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "One-Time Filter", "TID Cond",
     "Order By", "Function Call", "Table Function Call", "Run Condition", "Cache Key", "Cache Mode", "Remote SQL",
     "Conflict Resolution", "Conflict Filter", "Window", "Relations")
)  # fmt: skip
_LISTS = frozenset(("Output", "Sort Key", "Presorted Key", "Params Evaluated", "Conflict Arbiter Indexes"))
_BUFFERS = [f"{kind} {word} Blocks" for kind in ("Shared", "Local") for word in BUFFER_WORDS.values()] + [
    "Temp Read Blocks", "Temp Written Blocks",
]  # fmt: skip
_BUILT = frozenset(("Plans", "Workers", "Plan", "Node Type"))
"""Keys that the lines themselves make; one that names them is damaged."""
_JOINS = ("Nested Loop", "Hash Join", "Merge Join")
_INPUTS = dict.fromkeys(_JOINS, 2) | dict.fromkeys(
    ("Hash", "Sort", "Incremental Sort", "Limit", "Gather", "Gather Merge", "Materialize", "Memoize", "Unique", "WindowAgg",
     "Aggregate", "Group", "LockRows", "Bitmap Heap Scan", "Subquery Scan"),
    1,
)  # fmt: skip
"""How many plans these always read. With fewer, the text ends too early, and the node's own time would be wrong."""


@dataclass(slots=True)
class _Open:
    """A node whose lines are being read. column: of its arrow; the root's lies left of everything."""

    column: int
    raw: RawNode


@dataclass(slots=True)
class _Reader:
    document: RawNode = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)
    base: int = 0
    label: str | None = None
    section: RawNode | None = None
    grouping: bool = False
    seen: set[str] = field(default_factory=set)


def document_from_text(lines: Iterable[str]) -> RawNode:
    """One plan. Lines before its first node are taken as auto_explain's header. Raises StatementError without any node."""
    reader = _Reader()
    for line in _joined(lines):
        if not line.strip():
            continue
        try:
            if not reader.stack:
                _before(reader, line)
            else:
                _line(reader, line)
        except ValueError:
            title = str(reader.stack[-1].raw.get("Node Type")) if reader.stack else "its first line"
            raise StatementError(f"a figure at `{title}` is damaged, and the plan was not read") from None
    root = reader.document.get("Plan")
    if not isinstance(root, dict):
        raise StatementError("the text holds no plan")
    _complete(root, reader.seen)
    return reader.document


def starts_plan(line: str) -> bool:
    """Whether the line is the first of a plan: a node's title without an arrow."""
    match = _NODE.match(line.strip())
    return match is not None and read_title(match["title"]) is not None


def _joined(lines: Iterable[str]) -> Iterable[str]:
    """Lines, with those that a literal's newline has torn joined again."""
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) == 1 and "'" not in line and '"' not in line:
            yield held.pop()
            continue
        text = "\n".join(held)
        if len(held) < 200 and len(text) < 1_000_000 and _property_open(text):
            continue
        yield text
        held = []
    if held:
        yield from held


def _property_open(text: str) -> bool:
    left = _QUOTED.sub("", text)
    stripped = text.lstrip()
    return ("'" in left or '"' in left) and _PROPERTY.match(stripped) is not None and not stripped.startswith("Query")


def _before(reader: _Reader, line: str) -> None:
    match = _NODE.match(line.strip())
    raw = read_title(match["title"]) if match else None
    if match is None or raw is None:
        key, found, value = line.strip().partition(": ")
        if found and key in ("Query Text", "Query Parameters"):
            reader.document[key] = value
        elif isinstance(reader.document.get("Query Text"), str) and "Query Parameters" not in reader.document:
            reader.document["Query Text"] = f"{reader.document['Query Text']}\n{line.strip()}"
        return
    reader.base = len(line) - len(line.lstrip())
    _figures(raw, match)
    reader.document["Plan"] = raw
    reader.stack.append(_Open(-1, raw))


def _line(reader: _Reader, line: str) -> None:
    text = line.strip()
    column = len(line) - len(line.lstrip()) - reader.base
    if text.startswith("->  "):
        _node(reader, text[4:].strip(), column)
    elif column <= 0:
        _top(reader, text)
    elif reader.section is not None:
        _section(reader.section, text)
    elif _LABEL.match(text) and not text.endswith(":"):
        while len(reader.stack) > 1 and reader.stack[-1].column >= column:
            reader.stack.pop()
        reader.label = text
    else:
        _property(reader, text, column)


def _node(reader: _Reader, text: str, column: int) -> None:
    match = _NODE.match(text)
    raw = read_title(match["title"]) if match else None
    if "Total Cost" in reader.stack[0].raw and (match is None or match["total"] is None):
        title = text.partition(" (")[0].strip()
        raise StatementError(f"the plan breaks off at `{title}`: give the whole lines as PostgreSQL wrote them")
    if match is None or raw is None:
        raw = {"Node Type": text.partition("  (")[0]}
    if match is not None:
        _figures(raw, match)
    while len(reader.stack) > 1 and reader.stack[-1].column >= column:
        reader.stack.pop()
    parent = reader.stack[-1].raw
    plans = parent.setdefault("Plans", [])
    assert isinstance(plans, list)
    if reader.label is not None:
        raw["Subplan Name"] = reader.label
        raw["Parent Relationship"] = "SubPlan" if reader.label.startswith("SubPlan") else "InitPlan"
        reader.label = None
    else:
        raw["Parent Relationship"] = _relationship(parent, plans)
    plans.append(raw)
    reader.stack.append(_Open(column, raw))


def _relationship(parent: RawNode, before: list[RawNode]) -> str:
    kind = parent.get("Node Type")
    if kind in ("Append", "Merge Append", "BitmapAnd", "BitmapOr", "Custom Scan"):
        return "Member"
    if kind == "Subquery Scan":
        return "Subquery"
    inputs = [one for one in before if one.get("Parent Relationship") in ("Outer", "Inner")]
    return "Inner" if inputs else "Outer"


def _figures(raw: RawNode, match: re.Match[str]) -> None:
    if match["total"] is not None:
        raw |= {"Startup Cost": float(match["startup"]), "Total Cost": float(match["total"]),
                "Plan Rows": float(match["rows"]), "Plan Width": int(match["width"])}  # fmt: skip
    if match["never"]:
        raw |= {"Actual Rows": 0.0, "Actual Loops": 0.0}
    elif match["loops"] is not None:
        raw |= {"Actual Rows": float(match["actual"]), "Actual Loops": float(match["loops"])}
        if match["end"] is not None:
            raw |= {"Actual Startup Time": float(match["begin"]), "Actual Total Time": float(match["end"])}


def _property(reader: _Reader, text: str, column: int) -> None:
    node = reader.stack[-1].raw
    workers = node.get("Workers")
    worker = _WORKER.match(text)
    if worker:
        rows = node.setdefault("Workers", [])
        assert isinstance(rows, list)
        found: RawNode = {"Worker Number": int(worker[1]), "Column": column}
        if worker[5] is not None:
            found |= {"Actual Rows": float(worker[4]), "Actual Loops": float(worker[5])}
            if worker[3] is not None:
                found |= {"Actual Startup Time": float(worker[2]), "Actual Total Time": float(worker[3])}
        known = next((one for one in rows if one["Worker Number"] == found["Worker Number"]), None)
        if known is None:
            rows.append(found)
        else:
            known |= found
            found = known
        if worker[6].strip():
            _value(found, worker[6].strip(), node, reader.seen)
    elif isinstance(workers, list) and workers and column > workers[-1]["Column"]:
        _value(workers[-1], text, node, reader.seen)
    else:
        _value(node, text, node, reader.seen)


def _value(raw: RawNode, text: str, node: RawNode, seen: set[str]) -> None:
    match = _PROPERTY.match(text)
    if match is None:
        return
    key, value = match[1], match[2] or ""
    reader = READERS.get(key)
    if key in _BUILT:
        return
    if key in _TEXTS:
        raw[key] = value
    elif key in ("Group Key", "Hash Key"):
        if value != "()":
            groups = raw.setdefault("Group Key", [])
            assert isinstance(groups, list)
            groups += split_list(value)
    elif key in _LISTS:
        raw.setdefault(key, split_list(value))
    elif reader is not None:
        seen.add(key)
        reader(raw, text, node)
    elif value in ("true", "false"):
        raw[key] = value == "true"
    elif number := NUMBER.fullmatch(value):
        raw[key] = float(number[0])
    else:
        raw[key] = value


def _top(reader: _Reader, text: str) -> None:
    if (match := _NODE.match(text)) is not None and match["total"] is not None:
        raise StatementError("the text holds several plans: give them one by one, or as psql prints them with a header")
    document = reader.document
    reader.section = None
    key, _, value = text.partition(":")
    value = value.strip()
    trigger = _TRIGGER.match(text) if text.startswith("Trigger") and len(text) < 500 else None
    if trigger:
        triggers = document.setdefault("Triggers", [])
        assert isinstance(triggers, list)
        found: RawNode = {"Calls": float(trigger["calls"])}
        names = (("name", "Trigger Name"), ("constraint", "Constraint Name"), ("relation", "Relation"))
        found |= {name: trigger[group] for group, name in names if trigger[group] is not None}
        if trigger["time"] is not None:
            found["Time"] = float(trigger["time"])
        triggers.append(found)
    elif key in ("Planning Time", "Execution Time"):
        number = NUMBER.match(value)
        if number:
            document[key] = float(number[0])
    elif key in ("Planning", "JIT"):
        reader.section = document.setdefault(key, {})  # type: ignore[assignment] # a dict was put there
    elif key == "Settings":
        document[key] = dict(re.findall(r"([\w.]+) = '((?:[^']|'')*)'", value))
    elif key == "Serialization":
        document[key] = reader.section = serialization(value)
    elif key == "Query Identifier":
        document[key] = value


def _section(section: RawNode, text: str) -> None:
    key, _, value = text.partition(": ")
    if key == "Buffers":
        buffers(section, text, section)
    elif key == "I/O Timings":
        io_timings(section, text, section)
    elif key == "Functions":
        section[key] = int(value) if value.isdigit() else 0
    elif key == "Timing":
        section[key] = {name: float(ms) for name, ms in re.findall(r"([A-Z]\w+) ([\d.]+) ms", value)}
    elif key == "Memory":
        for name, ours in (("used", "Memory Used"), ("allocated", "Memory Allocated")):
            match = re.search(rf"{name}=(\d+)kB", value)
            if match:
                section[ours] = float(match[1])


def split_list(text: str) -> list[str]:
    """A list such as `a, f(b, c), "d, e"` at its commas outside parentheses, brackets and quotes."""
    if "," not in text:
        return [text]
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|[()\[\],]', text):
        mark = match[0]
        if mark in "([":
            depth += 1
        elif mark in ")]":
            depth -= 1
        elif mark == "," and not depth:
            parts.append(text[begin : match.start()].strip())
            begin = match.end()
    return [*parts, text[begin:].strip()]


def _complete(root: RawNode, seen: set[str]) -> None:
    """What the text leaves out because it is zero or usual."""
    nodes: list[RawNode] = [root]
    for node in nodes:
        plans = node.get("Plans")
        below = plans if isinstance(plans, list) else []
        inputs = sum(one.get("Parent Relationship") not in ("InitPlan", "SubPlan") for one in below)
        kind = str(node.get("Node Type"))
        if inputs < (wanted := _INPUTS.get(kind, 0)):
            raise StatementError(f"the plan is cut off: its {kind} has {inputs} of {wanted} inputs, and was not read")
        nodes += below
    timed = any("Actual Total Time" in node for node in nodes)
    for node in nodes:
        if timed and node.get("Actual Loops") == 0.0:
            node |= {"Actual Startup Time": 0.0, "Actual Total Time": 0.0}
        if "Buffers" in seen:
            for key in _BUFFERS:
                node.setdefault(key, 0)
        if "WAL" in seen:
            for key in ("WAL Records", "WAL FPI", "WAL Bytes"):
                node.setdefault(key, 0)
        workers = node.get("Workers")
        for worker in workers if isinstance(workers, list) else ():
            del worker["Column"]
