"""What a GIN index keeps of jsonb documents, estimated from the documents that ANALYZE has kept.

PostgreSQL counts no elements of jsonb, but keeps up to a hundred documents as bounds of a histogram and the most common ones.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

RARE = 3
"""Names and paths that fewer documents have are counted together: programs make names of numbers, too."""

Path = tuple[str, ...]
_OTHERS: Path = ("",)


@dataclass(frozen=True, slots=True)
class ElementGroup:
    """Elements of alike kind. per_row: different ones of a row, on average; distinct: of all rows; bytes of one."""

    per_row: float
    distinct: float
    bytes: float


@lru_cache(maxsize=64)
def document_elements(
    bounds: tuple[str, ...], common: tuple[tuple[str, float], ...], nulls: float, rows: float, different: float
) -> tuple[tuple[ElementGroup, ...], tuple[ElementGroup, ...]]:
    """Groups of scalar values, one for each path, and groups of names. bounds: documents, each of which stands for as many rows;
    common: others with their part of the rows (0–1); nulls: the part without a document; different: documents that differ, of which
    no path has more values. Nothing when there is no document.
    """
    sample = [one for text in bounds if (one := _parsed(text)) is not None]
    known = [(one, part) for text, part in common if (one := _parsed(text)) is not None]
    left = max(0.0, 1.0 - nulls - sum(part for _, part in known)) if sample else 0.0
    groups = []
    for kind in (_values, _names):
        drawn: defaultdict[Path, list[str]] = defaultdict(list)
        certain: defaultdict[Path, dict[str, float]] = defaultdict(dict)
        for one in sample:
            for path, value in set(kind(one)):
                drawn[path].append(value)
        for one, part in known:
            for path, value in set(kind(one)):
                certain[path][value] = certain[path].get(value, 0.0) + part
        for path in [one for one, values in drawn.items() if len(values) < RARE and one not in certain]:
            drawn[_OTHERS] += [value + "\0".join(path) for value in drawn.pop(path)]
        found = []
        for path in sorted({*drawn, *certain}):
            values, sure = drawn.get(path, []), certain.get(path, {})
            all_of_them = len(values) / max(1, len(sample)) * left * rows
            distinct = (_distinct(values, min(all_of_them, different)) if values else 0.0) + len(
                sure.keys() - set(values)
            )
            lengths = [len(one.encode("utf-8", "surrogatepass")) for one in (*values, *sure)]
            total = all_of_them + sum(sure.values()) * rows
            if total > 0:
                found.append(ElementGroup(total / max(rows, 1.0), min(distinct, total), sum(lengths) / len(lengths)))
        groups.append(tuple(found))
    return groups[0], groups[1]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _values(document: Any) -> Iterator[tuple[Path, str]]:
    """Each scalar with its path; that of an array's element is the array's."""
    for path, value in _walk(document):
        if not isinstance(value, dict | list):
            yield path, str(value)


def _names(document: Any) -> Iterator[tuple[Path, str]]:
    """Each name of a pair. A name that many documents have is a group of its own."""
    for _, value in _walk(document):
        if isinstance(value, dict):
            for name in value:
                yield (name,), name


def _walk(document: Any) -> Iterator[tuple[Path, Any]]:
    waiting: list[tuple[Path, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        inside: Iterable[tuple[Path, Any]] = ()
        if isinstance(value, dict):
            inside = (((*path, name), one) for name, one in value.items())
        elif isinstance(value, list):
            inside = ((path, one) for one in value)
        waiting.extend(inside)


def _distinct(values: Sequence[str], total: float) -> float:
    """How many different ones there are among `total`, by the estimator of Haas and Stokes that ANALYZE uses.

    Where all drawn are different, there may be as many as `total`, or as few as the square of the number drawn by two, among
    which one pair would be expected. Two thirds of the way are about the middle of the sizes that an index would have.
    """
    drawn, different = len(values), len(set(values))
    total = max(total, drawn)
    once = sum(1 for count in Counter(values).values() if count == 1)
    if once == drawn:
        return math.cbrt(total * total * min(total, drawn * drawn / 2)) if drawn > 1 else total
    return different * drawn / (drawn - once + once * drawn / total)
