"""EXPLAIN's JSON, YAML and XML → one document of dicts and lists, within bounds."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
import yaml
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..errors import StatementError

MOST = 1e30
MAX_DIGITS = 30
"""No figure of a plan is larger or has more; Python itself refuses to read more than 4,300."""
_NAMESPACE = "{http://www.postgresql.org/2009/explain}"
_DASHED = {
    "I-O-Read-Time": "I/O Read Time", "I-O-Write-Time": "I/O Write Time",
    "Shared-I-O-Read-Time": "Shared I/O Read Time", "Shared-I-O-Write-Time": "Shared I/O Write Time",
    "Local-I-O-Read-Time": "Local I/O Read Time", "Local-I-O-Write-Time": "Local I/O Write Time",
    "Temp-I-O-Read-Time": "Temp I/O Read Time", "Temp-I-O-Write-Time": "Temp I/O Write Time",
    "Full-sort-Groups": "Full-sort Groups", "Pre-sorted-Groups": "Pre-sorted Groups", "One-Time-Filter": "One-Time Filter",
}  # fmt: skip
_LISTS = frozenset(("Plans", "Workers", "Triggers", "Output", "Sort-Key", "Presorted-Key", "Group-Key", "Group-Keys",
                    "Hash-Key", "Hash-Keys", "Grouping-Sets", "Params-Evaluated", "Sort-Methods-Used", "Conflict-Arbiter-Indexes",
                    "Target-Tables", "Sampling-Parameters"))  # fmt: skip
_NUMERIC = re.compile(
    r".*(?:Rows|Loops|Time|Cost|Width|Blocks|Batches|Buckets|Usage|Hits|Misses|Evictions|Overflows|Fetches|Searches|Planned"
    r"|Launched|Number|Calls|Count|Removed|Space-Used|Partitions|Records|FPI|Bytes|Full|Functions|Generation|Inlining"
    r"|Optimization|Emission|Total|Deform|Volume|Memory-Used|Memory-Allocated|Maximum-Storage|Inserted|Updated|Deleted"
    r"|Skipped|Tuples|Rows-Removed-by-.*)\Z"
)


def from_json(text: str) -> object:
    """Raises StatementError for anything but plain JSON with finite numbers and no key twice in one object."""
    # The fast reader keeps the last of equal keys: what it has read is taken where there are none.
    with contextlib.suppress(ValueError, RecursionError):
        value = msgspec.json.decode(text)
        if msgspec.json.encode(value).count(b'":') == text.count('":'):
            return value
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
        )
    except StatementError:
        raise
    except RecursionError:
        raise StatementError("the plan is nested too deeply and was not read") from None
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise StatementError(f"the plan is not valid JSON and was not read{place}") from None


def from_yaml(text: str) -> object:
    """Raises StatementError for anything that EXPLAIN (FORMAT YAML) does not write, such as anchors and tags."""
    depth = max((len(line) - len(line.lstrip(" ")) for line in text.splitlines()), default=0)
    if depth > 3000:
        raise StatementError("the plan is nested too deeply and was not read")
    try:
        return yaml.load(text, Loader=_Loader)  # _Loader is a safe loader with less
    except StatementError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError):
        raise StatementError("the plan is not valid YAML and was not read") from None


def from_xml(text: str) -> object:
    """Raises StatementError for entities, DTDs and anything that is not well-formed."""
    try:
        root = fromstring(text.strip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        raise StatementError("the plan is not valid XML and was not read") from None
    queries = [one for one in root.iter() if _tag(one) == "Query"]
    if not queries and any(_tag(one) == "Plan" for one in root):
        queries = [root]  # auto_explain leaves <Query> out
    if not queries:
        raise StatementError("the XML holds no plan")
    return [_value(query, 0) for query in queries]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's where it was built in
    """YAML without anchors, aliases and double keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise StatementError("the plan has YAML aliases and was not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        found = super().construct_mapping(node, deep)
        if len(found) != len(node.value):
            raise StatementError("the plan names a key twice and was not read")
        return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StatementError("the plan names a key twice and was not read")
    return found


def _no_constant(name: str) -> float:
    raise StatementError(f"the plan holds {name}, which is no figure, and was not read")


def _finite(text: str) -> float:
    value = float(text)
    if not -MOST <= value <= MOST:
        raise StatementError("the plan holds a figure that is out of range, and was not read")
    return value


def refuse_infinite(value: object) -> None:
    """Raises StatementError where a figure of the document is infinite, or none, or has more digits than any of a plan."""
    waiting = [value]
    for one in waiting:
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, (int, float)) and not -MOST <= one <= MOST:
            raise StatementError("the plan holds a figure that is out of range, and was not read")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise StatementError(f"the plan holds a number of {len(digits)} digits and was not read")
    return int(digits)


def _tag(element: Element) -> str:
    return str(element.tag).removeprefix(_NAMESPACE)


def _key(tag: str) -> str:
    return _DASHED.get(tag) or tag.replace("-", " ")


def _value(element: Element, depth: int) -> object:
    if depth > 900:
        raise StatementError("the plan is nested too deeply and was not read")
    tag = _tag(element)
    if tag == "Settings":
        return {_tag(child): child.text or "" for child in element}
    if tag in _LISTS:
        return [_value(child, depth + 1) for child in element]
    if len(element):
        return _object(list(_members(element, depth)))
    text = element.text or ""
    if text in ("true", "false"):
        return text == "true"
    if _NUMERIC.match(tag):
        try:
            return float(text) if "." in text or len(text) > 18 else int(text)
        except ValueError:
            return text
    return text


def _members(element: Element, depth: int) -> Iterator[tuple[str, object]]:
    groups = iter(("Full-sort Groups", "Pre-sorted Groups"))
    spaces = iter(_sort_spaces(element))
    for child in element:
        tag = _tag(child)
        # XML names these after their kind, where the other formats have a name for each.
        if tag == "Incremental-Sort-Groups":
            yield next(groups, tag), _value(child, depth + 1)
        elif tag == "Sort-Space":
            yield next(spaces, tag), _value(child, depth + 1)
        else:
            yield _key(tag), _value(child, depth + 1)


def _sort_spaces(element: Element) -> tuple[str, ...]:
    """Memory comes first, then disk; of a lone one the sort methods tell which it is."""
    methods = {item.text or "" for child in element if _tag(child) == "Sort-Methods-Used" for item in child}
    alone = sum(1 for child in element if _tag(child) == "Sort-Space") == 1
    if alone and methods and all(method.startswith("external") for method in methods):
        return ("Sort Space Disk",)
    return "Sort Space Memory", "Sort Space Disk"
