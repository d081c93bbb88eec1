"""Lines of EXPLAIN's text that hold several figures, as the keys of FORMAT JSON."""

import re
from collections.abc import Callable

from .told_node import RawNode

_PAIR = re.compile(r"([A-Z][A-Za-z-]*(?: [A-Za-z]+)*): (.*?)(?=  [A-Z][A-Za-z -]*: |\Z)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
BUFFER_WORDS = {"hit": "Hit", "read": "Read", "dirtied": "Dirtied", "written": "Written"}
_WAL = {"records": "WAL Records", "fpi": "WAL FPI", "bytes": "WAL Bytes", "buffers full": "WAL Buffers Full"}


def serialization(value: str) -> RawNode:
    """Of a `Serialization:` line."""
    found: RawNode = {}
    for name, pattern in (("Time", r"time=([\d.]+)"), ("Output Volume", r"output=(\d+)kB")):
        match = re.search(pattern, value)
        if match:
            found[name] = float(match[1])
    form = re.search(r"format=(\w+)", value)
    return found | ({"Format": form[1]} if form else {})


def _pairs(text: str) -> dict[str, str]:
    return dict(_PAIR.findall(text[:500]))


def _kilobytes(text: str | None) -> float | None:
    match = NUMBER.match(text or "")
    return float(match[0]) if match else None


def _hash(raw: RawNode, text: str, node: RawNode) -> None:
    aggregate = node.get("Node Type") != "Hash"
    for name, value in _pairs(text).items():
        first = _kilobytes(value)
        original = re.search(r"originally (\d+)", value)
        if name == "Batches":
            raw["HashAgg Batches" if aggregate else "Hash Batches"] = first
        elif name == "Buckets":
            raw["Hash Buckets"] = first
        elif name in ("Memory Usage", "Peak Memory Usage"):
            raw["Peak Memory Usage"] = first
        else:
            raw[name] = first
        if not aggregate and name in ("Batches", "Buckets"):
            raw[f"Original Hash {name}"] = float(original[1]) if original else first


def _memoize(raw: RawNode, text: str, node: RawNode) -> None:
    for name, value in _pairs(text).items():
        raw["Peak Memory Usage" if name == "Memory Usage" else f"Cache {name}"] = _kilobytes(value)


def _sort(raw: RawNode, text: str, node: RawNode) -> None:
    pairs = _pairs(text)
    raw["Sort Method"] = pairs.get("Sort Method", "").strip()
    for kind in ("Memory", "Disk"):
        if kind in pairs:
            raw |= {"Sort Space Type": kind, "Sort Space Used": _kilobytes(pairs[kind])}


def _sort_groups(raw: RawNode, text: str, node: RawNode) -> None:
    pairs = _pairs(text)
    name = "Full-sort Groups" if "Full-sort Groups" in pairs else "Pre-sorted Groups"
    methods = pairs.get("Sort Methods") or pairs.get("Sort Method") or ""
    found: RawNode = {"Group Count": _kilobytes(pairs.get(name)), "Sort Methods Used": [one.strip() for one in methods.split(",")]}  # fmt: skip
    for kind in ("Memory", "Disk"):
        if f"Peak {kind}" in pairs:
            found[f"Sort Space {kind}"] = {
                "Average Sort Space Used": _kilobytes(pairs.get(f"Average {kind}")),
                "Peak Sort Space Used": _kilobytes(pairs[f"Peak {kind}"]),
            }
    raw[name] = found


def _heap_blocks(raw: RawNode, text: str, node: RawNode) -> None:
    for name, key in (("exact", "Exact Heap Blocks"), ("lossy", "Lossy Heap Blocks")):
        match = re.search(rf"{name}=(\d+)", text)
        raw[key] = float(match[1]) if match else 0.0


def buffers(raw: RawNode, text: str, node: RawNode) -> None:
    """Blocks, by kind and what was done with them."""
    for part in text.partition(": ")[2].split(","):
        kind, *counts = part.split() or [""]
        for count in counts:
            word, _, number = count.partition("=")
            if word in BUFFER_WORDS and number.isdigit():
                raw[f"{kind.capitalize()} {BUFFER_WORDS[word]} Blocks"] = int(number)


def io_timings(raw: RawNode, text: str, node: RawNode) -> None:
    """Milliseconds of reading and writing, by kind of block."""
    for part in text.partition(": ")[2].split(","):
        words = part.split()
        kind = words[0] if words and "=" not in words[0] else ""
        prefix = {"shared": "Shared ", "local": "Local ", "temp": "Temp "}.get(kind, "")
        for word in words:
            name, _, number = word.partition("=")
            if name in ("read", "write") and number:
                raw[f"{prefix}I/O {name.capitalize()} Time"] = float(number)


def _wal(raw: RawNode, text: str, node: RawNode) -> None:
    for name, key in _WAL.items():
        match = re.search(rf"\b{name}=(\d+)", text)
        raw[key] = int(match[1]) if match else 0


def _storage(raw: RawNode, text: str, node: RawNode) -> None:
    pairs = _pairs(text)
    raw |= {"Storage": pairs.get("Storage", "").strip(), "Maximum Storage": _kilobytes(pairs.get("Maximum Storage"))}


def _tuples(raw: RawNode, text: str, node: RawNode) -> None:
    for word, number in re.findall(r"(\w+)=(\d+)", text):
        raw[f"Tuples {word.capitalize()}"] = float(number)


READERS: dict[str, Callable[[RawNode, str, RawNode], None]] = {
    "Buckets": _hash, "Batches": _hash, "Planned Partitions": _hash, "Peak Memory Usage": _hash, "Memory Usage": _hash,
    "Hits": _memoize, "Sort Method": _sort, "Full-sort Groups": _sort_groups, "Pre-sorted Groups": _sort_groups,
    "Heap Blocks": _heap_blocks, "Buffers": buffers, "I/O Timings": io_timings, "WAL": _wal, "Storage": _storage,
    "Tuples": _tuples,
}  # fmt: skip
"""What reads a line that begins with this key: (where its figures go, the line, the node it belongs to)."""
