"""Relation files without rows: the right length for the planner, and the few pages it looks into.

The planner takes a relation's size from its file and reads of an index no more than its metapage: the height of a B-tree,
the counters of a GIN index, the page range and map of a BRIN index. Layouts as in PostgreSQL's headers nbtree.h, ginblock.h,
brin_page.h and bufpage.h; they are the same from 13 to 18.
"""

import itertools
import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = 8192
SEGMENT_PAGES = 131_072
"""Pages in one file of 1 GB; the next ones are called `.1`, `.2` …"""
_HEADER_BYTES = 24
_LAYOUT_VERSION = 4
_NO_BLOCK = 0xFFFFFFFF

_BTREE_MAGIC, _BTREE_VERSION = 0x053162, 4
_LEAF, _ROOT, _META = 1, 2, 8
_ALTERNATIVE_TID = 0x2000
_INNER_FILL = 0.70
"""CREATE INDEX fills inner pages to 70 %, and splits leave about as much."""

_GIN_META, _GIN_VERSION = 8, 2
_BRIN_MAGIC, _BRIN_VERSION, _BRIN_META = 0xA8109CFA, 1, 0xF091
_BRIN_RANGES_PER_MAP_PAGE = 1360


@dataclass(frozen=True, slots=True)
class GinCounters:
    """What a GIN metapage tells the planner: pages of keys, pages of row numbers, distinct keys."""

    entry_pages: int
    data_pages: int
    entries: int


def btree_pages(level: int, entries: Sequence[bytes] = ()) -> list[bytes]:
    """The first pages of a B-tree whose root is at that level: metapage, then one page for each level, the root first.

    entries: index tuples of the only leaf, in the index's order.
    """
    meta = struct.pack(
        "=IIIIIII4xd?7x", _BTREE_MAGIC, _BTREE_VERSION, 1, level, 1, level, 0, -1.0, False
    )  # fmt: skip
    pages = [_page(meta, _opaque(0, _META), lower=_HEADER_BYTES + 48)]
    for above in range(level, 0, -1):
        child = len(pages) + 1
        # A downlink without key, which stands for minus infinity: no attributes, and the child's block number.
        downlink = struct.pack("=HHHH", child >> 16, child & 0xFFFF, 0, 8 | _ALTERNATIVE_TID)
        upper = PAGE_BYTES - 16 - 8
        pointer = struct.pack("=I", upper | 1 << 15 | 8 << 17)
        special = _opaque(above, _ROOT if above == level else 0)
        pages.append(_page(pointer, special, lower=_HEADER_BYTES + 4, upper=upper, item=downlink))
    pointers, content, upper = b"", b"", PAGE_BYTES - 16
    for entry in entries:
        upper -= len(entry)
        content = entry + content
        pointers += struct.pack("=I", upper | 1 << 15 | len(entry) << 17)
    special = _opaque(0, _LEAF | (0 if level else _ROOT))
    pages.append(_page(pointers, special, lower=_HEADER_BYTES + len(pointers), upper=upper, item=content))
    return pages


def separator_bytes(columns: Sequence[tuple[float, float]], rows: float, *, deduplicated: bool) -> float:
    """Expected bytes of an entry of a B-tree's inner page, for key columns of (average width, distinct values).

    An inner page keeps only as many columns as tell two neighbouring leaf pages apart (suffix truncation): the second one
    where the first is equal on both sides, and the row number where the whole key is. Deduplicated, equal keys stand in
    posting lists of at most 812 bytes of 6-byte row numbers, so that only keys of more rows span a boundary.
    """
    expected, width, distinct, reached = 0.0, 0.0, 1.0, 1.0
    for column_width, column_distinct in columns:
        width += column_width
        distinct = max(1.0, min(distinct * max(1.0, column_distinct), rows))
        equal = reached * max(0.0, 1 - distinct / max(rows, 1.0))
        expected += (reached - equal) * (4 + _aligned(8 + width))
        reached = equal
    if reached and deduplicated:
        lists = max(1.0, rows / distinct * 6 / 812)
        inside = min(reached, 1 - 1 / lists)
        expected += (reached - inside) * (4 + _aligned(8 + width))
        reached = inside
    return expected + reached * (4 + _aligned(8 + width) + 8)


def btree_level(pages: int, separator: float) -> int:
    """Level of the root of a B-tree of that many pages as CREATE INDEX makes it (`separator_bytes`: of its inner entries)."""
    fanout = max(2.0, (PAGE_BYTES - _HEADER_BYTES - 16) * _INNER_FILL / max(16.0, separator))
    level, width = 0, float(max(1, pages - 1))
    while width > 1:
        width = math.ceil(width / fanout)
        level += 1
    return level


def _aligned(length: float) -> float:
    return 8 * math.ceil(length / 8)


def gin_metapage(pages: int, counters: GinCounters) -> bytes:
    """Metapage of a GIN index without pending entries."""
    meta = struct.pack(
        "=IIIIqIII4xqi4x", _NO_BLOCK, _NO_BLOCK, 0, 0, 0, pages, counters.entry_pages, counters.data_pages,
        counters.entries, _GIN_VERSION,
    )  # fmt: skip
    return _page(meta, struct.pack("=IHH", _NO_BLOCK, 0, _GIN_META), lower=_HEADER_BYTES + len(meta))


def gin_counters(pages: int) -> GinCounters:
    """Counters of a GIN index of which only the size is known: PostgreSQL's own guess for a new one (gincostestimate)."""
    entry_pages = max(1, int(pages * 0.9))
    return GinCounters(entry_pages, max(0, pages - 1 - entry_pages), entry_pages * 100)


def brin_metapage(table_pages: int, pages_per_range: int) -> bytes:
    """Metapage of a BRIN index on a table of that many pages."""
    ranges = max(1, math.ceil(table_pages / pages_per_range))
    meta = struct.pack(
        "=IIII", _BRIN_MAGIC, _BRIN_VERSION, pages_per_range, math.ceil(ranges / _BRIN_RANGES_PER_MAP_PAGE)
    )
    return _page(meta, struct.pack("=HHHH", 0, 0, 0, _BRIN_META), lower=_HEADER_BYTES + len(meta))


def write_table(path: Path, pages: int, owner: tuple[int, int]) -> None:
    """A table's files, all hole, and a visibility map by which its first page is visible to everyone (see `clone_ends`)."""
    write_relation(path, pages, [], owner)
    header = struct.pack("=QHHHHHHI", 0, 0, 0, _HEADER_BYTES, PAGE_BYTES, PAGE_BYTES, PAGE_BYTES | _LAYOUT_VERSION, 0)
    write_relation(path.with_name(f"{path.name}_vm"), 1, [header + b"\x01"], owner)


def write_relation(path: Path, pages: int, first: list[bytes], owner: tuple[int, int]) -> None:
    """A relation's files of that many pages: the first ones as given, the rest a hole that takes no space.

    owner: user and group ids to give the files to, (-1, -1) for our own.
    """
    for segment in range(max(1, math.ceil(pages / SEGMENT_PAGES))):
        part = path if segment == 0 else path.with_name(f"{path.name}.{segment}")
        length = min(SEGMENT_PAGES, pages - segment * SEGMENT_PAGES) * PAGE_BYTES
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if segment == 0:
                file.write(b"".join(first[:pages]))
            file.truncate(length)
            os.fchown(file.fileno(), *owner)


def relation_pages(path: Path) -> int:
    """Pages of a relation, over all its segments."""
    total = 0
    for segment in itertools.count():
        part = path if segment == 0 else path.with_name(f"{path.name}.{segment}")
        length = part.stat().st_size // PAGE_BYTES if part.exists() else 0
        total += length
        if length < SEGMENT_PAGES:
            break
    return total


def extend(path: Path, pages: int) -> None:
    """Lengthen a file whose first pages the server may hold in memory; beyond 1 GB it stays at that."""
    length = min(pages, SEGMENT_PAGES) * PAGE_BYTES
    if length > path.stat().st_size:
        os.truncate(path, length)


def _opaque(level: int, flags: int) -> bytes:
    return struct.pack("=IIIHH", 0, 0, level, flags, 0)


def _page(content: bytes, special: bytes, *, lower: int, upper: int | None = None, item: bytes = b"") -> bytes:
    start = PAGE_BYTES - len(special)
    header = struct.pack(
        "=QHHHHHHI", 0, 0, 0, lower, upper if upper is not None else start, start, PAGE_BYTES | _LAYOUT_VERSION, 0
    )
    page = bytearray(PAGE_BYTES)
    page[: len(header)] = header
    page[len(header) : len(header) + len(content)] = content
    if upper is not None:
        page[upper : upper + len(item)] = item
    page[start:] = special
    return bytes(page)
