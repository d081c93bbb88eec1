"""How large an index would be, from statistics alone: pages as PostgreSQL's own index builds fill them.

Layout facts come from PostgreSQL's source (nbtsort.c, nbtdedup.c, hashpage.c, ginentrypage.c, brin_pageops.c) and were
checked against real builds; benchmarks/README.md states the errors found.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

from ..schema import Table
from .candidate_index import CandidateIndex
from .distinct_keys import distinct_keys
from .gin_elements import gin_elements
from .key_width import MADE_RANGE, KeyWidth, key_width

PAGE = 8192
LEAF_ROOM = PAGE - 24 - 16 - PAGE * 10 // 100
"""Bytes of a B-tree leaf that a build fills: page header, B-tree's own 16 bytes and fillfactor 90 taken off."""
INNER_ROOM = PAGE - 24 - 16 - PAGE * 30 // 100
"""The same for inner pages, which builds fill to 70 %."""
LINE_POINTER, TUPLE_HEADER, ROW_POINTER = 4, 8, 6
POSTING_MAX = 812
"""Bytes of the largest posting list that a build makes (a tenth of a page)."""
GIN_LIST_MAX = 2_700
"""Bytes of the rows of one element that still stand beside it (a third of a page)."""
ENTRY_ROOM = PAGE * 0.55
"""Bytes of a page of elements that are used after splits."""
GIST_FILL, PLANE_FILL, SPGIST_FILL = 0.7, 0.6, 0.47
"""Share of a page that is used after splits: trigrams and networks in GiST, points and boxes in GiST, anything in SP-GiST (where
values that come in order leave a third, and random ones two thirds)."""
RANGE_FILL, SORTED_FILL, SORTED_RANGES = 0.5, 0.95, 18
"""The same of ranges in GiST (0.45 where they come in order, 0.56 at random), and from 18 on, which sorts them before it builds."""
BOX_BYTES = 32.0
TRIGRAM_BYTES = 3.0
"""A leaf of gist_trgm_ops lists the different three-letter pieces of its value, about one for each letter and one more."""
_PLANE = ("point", "box", "polygon", "circle")


@dataclass(frozen=True, slots=True)
class IndexSize:
    """pages of 8 kB; height: levels above the leaves of a B-tree, 0 for other methods; entries: rows or elements kept."""

    pages: int
    height: int
    entries: float

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return self.pages * PAGE


def index_size(index: CandidateIndex, table: Table, share: float = 1.0, *, major: int = SORTED_RANGES) -> IndexSize:
    """Size of the index once built. share: of the table's rows that a partial index keeps (0–1). major: of the server.

    A table without statistics (rows None) counts as its pages full of 100-byte rows.
    """
    rows = (table.rows if table.rows is not None else table.pages * PAGE / 100) * (share if index.predicate else 1.0)
    gist = partial(_gist, major=major)
    estimate = {"btree": _btree, "hash": _hash, "gin": _gin, "brin": _brin}.get(index.method, gist)
    return estimate(index, table, max(rows, 0.0))


def _btree(index: CandidateIndex, table: Table, rows: float) -> IndexSize:
    keys = [key_width(key.column, key.expression, table) for key in index.keys]
    included = [key_width(name, "", table) for name in index.include]
    entry = _entry_bytes(keys + included)
    if index.include or not all(key.posting for key in keys):
        leaf_bytes = rows * (entry + LINE_POINTER)
    else:
        names = tuple(key.column if key.column is not None else key.expression for key in index.keys)
        groups = max(1.0, min(rows, distinct_keys(table, names, rows)))
        nulls = keys[0].nulls if len(keys) == 1 else 0.0
        leaf_bytes = groups * _group_bytes(entry, rows * (1 - nulls) / groups) + _group_bytes(entry, rows * nulls)
    pivot = _entry_bytes(keys) + LINE_POINTER
    # Each leaf but the last begins with a high key.
    pages = level = max(1, math.ceil(leaf_bytes / (LEAF_ROOM - pivot))) if rows else 0
    height = 0
    while level > 1:
        level = math.ceil(level / max(2.0, (INNER_ROOM - pivot) / pivot))
        pages += level
        height += 1
    return IndexSize(pages + 1, height, rows)


def _group_bytes(entry: float, rows: float) -> float:
    """Bytes that the rows of one key value take: a single entry, or posting lists of up to 812 bytes.

    Below forty rows the number of rows of a value is taken as Poisson distributed around its mean, since rounding counts.
    """
    if rows <= 0:
        return 0.0
    most = max(2, int((POSTING_MAX - entry) // ROW_POINTER))
    if rows >= 40:
        full, rest = divmod(rows, most)
        return full * (_aligned(entry + most * ROW_POINTER) + LINE_POINTER) + _list_bytes(entry, rest)
    mean = rows if rows > 1.6 else max(1e-6, _mean_behind(rows))
    probability, total, weight, seen = math.exp(-mean), 0.0, 0.0, 0.0
    for count in range(1, int(mean + 8 * math.sqrt(mean) + 8)):
        probability *= mean / count
        total += probability * _list_bytes(entry, count)
        weight += probability
        seen += probability * count
    # Scaled so that the rows counted are the rows there are.
    return total / seen * rows if seen else total / weight


def _mean_behind(rows: float) -> float:
    """The Poisson mean whose values, zero left out, have the mean `rows` (m / (1 − e^−m) = rows)."""
    low, high = 0.0, rows
    for _ in range(40):
        middle = (low + high) / 2
        if middle <= 0 or middle / (1 - math.exp(-middle)) < rows:
            low = middle
        else:
            high = middle
    return low


def _list_bytes(entry: float, rows: float) -> float:
    if rows <= 0:
        return 0.0
    return (entry if rows <= 1 else _aligned(entry + rows * ROW_POINTER)) + LINE_POINTER


def _hash(index: CandidateIndex, table: Table, rows: float) -> IndexSize:
    """Entries of four bytes; buckets grow in quarters of a power of two; fillfactor 75.

    Between two powers some buckets are split already and hold half of what the others hold.
    """
    per_bucket = PAGE * 0.75 // (_aligned(TUPLE_HEADER + 4) + LINE_POINTER)
    buckets = _bucket_count(max(2, math.ceil(rows / per_bucket)))
    distinct = max(1.0, distinct_keys(table, tuple(key.column or key.expression for key in index.keys), rows))
    power = 1 << math.ceil(math.log2(buckets))
    split = buckets - power // 2
    overflow = (2 * split if split < power // 2 else power) * _overflow(distinct / power, rows / distinct)
    overflow += max(0, buckets - 2 * split) * _overflow(2 * distinct / power, rows / distinct)
    return IndexSize(int(buckets + overflow) + 2, 0, rows)


def _overflow(values: float, rows: float) -> float:
    """Pages beyond the first of a bucket that `values` distinct values with `rows` rows each are expected in."""
    room = (PAGE - 24 - 16) // (_aligned(TUPLE_HEADER + 4) + LINE_POINTER)
    if values < 50:
        probability, total = math.exp(-values), 0.0
        for count in range(1, int(values + 8 * math.sqrt(values) + 8)):
            probability *= values / count
            total += probability * max(0, math.ceil(count * rows / room) - 1)
        return total
    mean, spread = values * rows, math.sqrt(values) * rows
    return sum(
        0.5 * math.erfc((pages * room - mean) / (spread * math.sqrt(2))) for pages in range(1, int(mean / room) + 4)
    )


def _bucket_count(wanted: int) -> int:
    """The number of buckets that PostgreSQL makes for at least `wanted`."""
    power = max(1, math.ceil(math.log2(wanted)))
    if power < 10:
        return int(2**power)
    below = int(2 ** (power - 1))
    return below + math.ceil((wanted - below) / (below / 4)) * (below // 4)


def _gin(index: CandidateIndex, table: Table, rows: float) -> IndexSize:
    """Distinct elements with the rows of each: lists beside the element, or pages of their own when they are long.

    Elements come in their order, so that pages split in two and stay half full; list pages are filled.
    """
    pages, entries = 0.0, 0.0
    for key in index.keys:
        for total, distinct, key_bytes in gin_elements(key, table, rows):
            distinct = max(1.0, min(distinct, total))
            gap = distinct / max(total, 1.0) * max(1.0, table.pages)
            # Pages between two rows decide what a step takes (ginpostinglist.c): seven bits a byte, eleven of them within the page.
            each = 1 + math.exp(-0.0625 / gap) + math.exp(-8 / gap) + math.exp(-1024 / gap)
            listed = total / distinct * each
            if listed > GIN_LIST_MAX:
                pages += distinct * (0.5 + listed / (PAGE * 0.9)) + distinct * 32 / ENTRY_ROOM
            else:
                entry = _aligned(TUPLE_HEADER + key_bytes + 8 + max(0.0, listed - each)) + LINE_POINTER
                pages += distinct * entry / ENTRY_ROOM
            entries += total
    return IndexSize(math.ceil(pages) + 2, 0, entries)


def _gist(index: CandidateIndex, table: Table, rows: float, major: int) -> IndexSize:
    """GiST and SP-GiST: entries of the key's width, on pages as full as splits leave them. GiST keeps a point as a box."""
    widths = [key_width(key.column, key.expression, table) for key in index.keys]
    columns = [table.column(key.column) for key in index.keys if key.column is not None]
    geometry = any(column is not None and column.type.startswith(_PLANE) for column in columns)
    if geometry and index.method == "gist":
        # Of a polygon or a circle too it keeps the box around it.
        widths = [replace(one, bytes=BOX_BYTES, spread=0.0) for one in widths]
    trigrams = [(key.operator_class or "").endswith("gist_trgm_ops") for key in index.keys]
    widths = [
        replace(one, bytes=TRIGRAM_BYTES * (one.bytes + 1) + 5, spread=TRIGRAM_BYTES * one.spread) if pieces else one
        for one, pieces in zip(widths, trigrams, strict=True)
    ]
    types = [column.type for column in columns if column is not None]
    filled = SPGIST_FILL if index.method == "spgist" else PLANE_FILL if geometry else GIST_FILL
    made = any(MADE_RANGE.search(key.expression.lower()) for key in index.keys)
    if index.method == "gist" and (made or any(one.endswith("range") for one in types)):
        several = any(one.endswith("multirange") for one in types)
        filled = RANGE_FILL if several or major < SORTED_RANGES else SORTED_FILL
    entry = _entry_bytes(widths) + LINE_POINTER
    pages = level = max(1, math.ceil(rows * entry / ((PAGE - 40) * filled)))
    while level > 1:
        level = math.ceil(level * entry / ((PAGE - 40) * filled))
        pages += level
    return IndexSize(pages + 1, 0, rows)


def _brin(index: CandidateIndex, table: Table, rows: float) -> IndexSize:
    """A summary of lowest and highest value for each 128 pages, beside the map of ranges and the metapage."""
    ranges = math.ceil(table.pages / 128)
    widths = [key_width(key.column, key.expression, table) for key in index.keys]
    summary = _aligned(5 + 3 + sum(2 * _aligned(one.bytes, one.alignment) for one in widths)) + LINE_POINTER
    return IndexSize(
        1 + math.ceil(ranges / 1360 or 1) + math.ceil(ranges * summary / (PAGE - 40) or 1), 0, float(ranges)
    )


def _entry_bytes(widths: list[KeyWidth]) -> float:
    """Bytes of one index tuple: header, null bitmap where there are NULLs, each value at its alignment, rounded to eight.

    Values of varying width are taken at five points around their average: rounding an average is not averaging the rounded.
    """
    spread = sum(one.spread for one in widths)
    sizes = [_entry_of(widths, spread * step / 2) for step in ((-2, -1, 0, 1, 2) if spread else (0,))]
    return sum(sizes) / len(sizes)


def _entry_of(widths: list[KeyWidth], more: float) -> float:
    filled, shape, varying = 0.0, 1.0, sum(one.spread for one in widths) or 1.0
    for one in widths:
        filled = _aligned(filled, one.alignment) + max(1.0, one.bytes + more * one.spread / varying) * (1 - one.nulls)
        shape *= 1 - one.nulls
    without = _aligned(TUPLE_HEADER + filled)
    # A NULL costs a bitmap of four bytes, which the header's alignment makes eight.
    return shape * without + (1 - shape) * _aligned(TUPLE_HEADER + 8 + filled)


def _aligned(count: float, to: int = 8) -> float:
    return math.ceil(count / to - 1e-9) * to
