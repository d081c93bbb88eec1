"""One text for all executions of one statement, whatever the source: the identity of a query group.

Every literal and placeholder becomes `$n`, lists of them collapse to one element, comments go, unquoted words fold to
lower case as PostgreSQL folds them. The result is SQL again, and normalising it once more changes nothing.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from .tokens import Token, significant

_UNARY_AFTER = frozenset(
    "select where and or not in between limit offset then else when case by on having values set returning like ilike "
    "from is distinct all any some union except intersect default return".split()
)
_KEEPS_SPACE_BEFORE_PARENTHESIS = _UNARY_AFTER | frozenset(
    "as over filter within using exists join left right inner outer cross lateral with into update delete insert "
    "table only conflict do key group order for window partition range rows array".split()
)
_CONSTANTS = frozenset(("true", "false", "null"))
_CONSTANT_KEPT_AFTER = frozenset(("is", "not", "nulls", "set"))
_COPY_DATA = re.compile(r"^\s*copy\b.*?\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
_VALUE = "\0\0"
"""In the place of a value; a NUL of the text itself is a token of one."""
_TYPE_WORDS = {
    "double": ("precision",),
    "character": ("varying",),
    "bit": ("varying",),
    "national": ("character", "varying"),
}
_SECOND_WORDS = ("varying", "precision", "character")
MODIFIER_DIGITS = 4
"""Of the longest number that a type's modifier is taken to have; a longer one is a value."""
MODIFIED_WORDS = 6
"""Of the longest name of a type that takes a modifier: `a.b.c`, `national character varying`."""
_WITH_ZONE = ["with", "time", "zone"]
_WITHOUT_ZONE = ["without", "time", "zone"]


def normalize(sql: str) -> str:
    """The statement without literals. Idempotent; never raises."""
    return _normal(sql)[0]


def fingerprint(sql: str) -> str:
    """16 hexadecimal digits that are equal for normalised texts that differ in the casts of values at most.

    One statement reaches the server as `d = $1`, `d = $1::DATE` or `d = '2026-01-01'::date`, as each driver writes it.
    """
    return _normal(sql)[1]


@lru_cache(maxsize=4096)
def _normal(sql: str) -> tuple[str, str]:
    """The normalised text and the fingerprint: whoever asks for one asks for the other, and the tokens cost most."""
    words = _collapse_lists(_words(_without_copy_data(sql)))
    while words and words[-1] == ";":
        words.pop()
    text = _text(_uncast(words))
    return _text(words), hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _text(words: Sequence[str]) -> str:
    parts: list[str] = []
    number = 0
    previous = ""
    for word in words:
        text = word
        if word == _VALUE:
            number += 1
            text = f"${number}"
        if parts and _spaced(previous, word):
            parts.append(" ")
        parts.append(text)
        previous = word
    return "".join(parts)


def _without_copy_data(sql: str) -> str:
    """Rows that follow COPY … FROM STDIN are data, not SQL."""
    if not _COPY_DATA.match(sql):
        return sql
    return sql.partition(";")[0]


def _words(sql: str) -> list[str]:
    """Texts of the tokens, every literal and placeholder as one mark, a sign in front of it swallowed."""
    words: list[str] = []
    opened: list[str] = []
    for token in significant(sql):
        if token.text == "(":
            opened.append(words[-1] if words else "")
        elif token.text == ")" and opened:
            opened.pop()
        if token.kind == "literal" and _is_modifier(token, words, opened):
            words.append(token.text)
        elif token.kind in ("literal", "placeholder") or _is_constant(token, words):
            if words and words[-1] in ("-", "+") and _is_unary(words):
                words.pop()
            words.append(_VALUE)
        elif token.kind == "word":
            words.append(token.text.lower())
        elif token.text == "%%":
            words.append("%")
        else:
            words.append(token.text)
    return words


def _is_modifier(token: Token, before: list[str], opened: list[str]) -> bool:
    """Whether a number is part of a type, as in `::numeric(10, 2)` and `CAST(x AS varchar(20))`: where the grammar takes no
    parameter, and where it is no value."""
    if not (token.text.isascii() and token.text.isdigit() and len(token.text) <= MODIFIER_DIGITS):
        return False
    at = len(before) - 1
    if at > 2 and before[at] == "," and before[at - 1].isdigit():
        at -= 2
    if at < 2 or before[at] != "(":
        return False
    at -= 2
    for _ in range(MODIFIED_WORDS):
        if at == 0 or before[at] in ("::", "as") or not (before[at] == "." or before[at + 1] in (".", *_SECOND_WORDS)):
            break
        at -= 1
    return before[at] == "::" or (before[at] == "as" and opened[-2:-1] == ["cast"])


def _uncast(words: list[str]) -> list[str]:
    """Without `::type` behind values; the field of EXTRACT is a value, as pg_stat_statements writes it."""
    result: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "::" and result and result[-1] == _VALUE:
            position = _after_type(words, position + 1)
            continue
        field = (
            word.isidentifier() and result[-2:] == ["extract", "("] and words[position + 1 : position + 2] == ["from"]
        )
        result.append(_VALUE if field else word)
        position += 1
    return result


def _after_type(words: list[str], position: int) -> int:
    """The place behind a type's name such as `timestamp(3) with time zone[]`."""
    first = words[position] if position < len(words) else ""
    position += 1
    while words[position : position + 1] == ["."]:
        position += 2
    for more in _TYPE_WORDS.get(first, ()):
        if words[position : position + 1] == [more]:
            position += 1
    position = _after_bracket(words, position, "(", ")")
    if first in ("time", "timestamp") and words[position : position + 3] in (_WITH_ZONE, _WITHOUT_ZONE):
        position += 3
    while words[position : position + 1] == ["["]:
        position = _after_bracket(words, position, "[", "]")
    return position


def _after_bracket(words: list[str], position: int, opens: str, closes: str) -> int:
    if words[position : position + 1] != [opens] or closes not in words[position : position + 5]:
        return position
    return words.index(closes, position) + 1


def _is_constant(token: Token, before: list[str]) -> bool:
    return token.word in _CONSTANTS and not (before and before[-1] in _CONSTANT_KEPT_AFTER)


def _is_unary(words: list[str]) -> bool:
    if len(words) < 2:
        return True
    previous = words[-2]
    if previous in ("(", ",", "["):
        return True
    if previous in (")", "]", _VALUE) or previous.startswith('"'):
        return False
    return previous in _UNARY_AFTER or not (previous[0].isalnum() or previous[0] == "_" or previous == ".")


def _collapse_lists(words: list[str]) -> list[str]:
    """`IN (v, v, …)`, `ARRAY[v, v, …]` and `VALUES (…), (…)` keep their first element when all are alike."""
    result: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        result.append(word)
        position += 1
        if position >= len(words):
            break
        opens = words[position]
        if (word, opens) in (("in", "("), ("array", "[")):
            elements, after = _elements(words, position)
            if elements and all(_plain(element) for element in elements) and _all_equal(elements):
                result += [opens, *elements[0], words[after - 1]]
                position = after
        elif word == "values" and opens == "(":
            rows, after = _rows(words, position)
            if len(rows) > 1 and _all_equal(rows):
                result += rows[0]
                position = after
    return result


def _elements(words: list[str], position: int) -> tuple[list[list[str]], int]:
    """Elements of the bracket that opens at `position`, and the place behind it; no elements when it does not close."""
    depth = 0
    elements: list[list[str]] = [[]]
    for index in range(position, len(words)):
        word = words[index]
        if word in ("(", "["):
            depth += 1
            if depth == 1:
                continue
        elif word in (")", "]"):
            depth -= 1
            if depth == 0:
                return elements, index + 1
        elif word == "," and depth == 1:
            elements.append([])
            continue
        elements[-1].append(word)
    return [], position


def _rows(words: list[str], position: int) -> tuple[list[list[str]], int]:
    rows: list[list[str]] = []
    while position < len(words) and words[position] == "(":
        _, after = _elements(words, position)
        if after == position:
            break
        rows.append(words[position:after])
        position = after
        if position + 1 < len(words) and words[position] == "," and words[position + 1] == "(":
            position += 1
        else:
            break
    return rows, position


def _plain(element: list[str]) -> bool:
    """A value, perhaps cast: `v`, `v::varchar`, `v::timestamp with time zone`."""
    return bool(element) and element[0] == _VALUE and (len(element) == 1 or element[1] == "::")


def _all_equal(elements: list[list[str]]) -> bool:
    return all(element == elements[0] for element in elements)


def _spaced(previous: str, word: str) -> bool:
    if word in (",", ")", "]", ".", "::", ";") or previous in ("(", "[", ".", "::"):
        return False
    if word == "[":
        return False
    if word == "(":
        is_name = previous[0].isalpha() or previous[0] in '_"' or not previous[0].isascii()
        return not is_name or previous in _KEEPS_SPACE_BEFORE_PARENTHESIS
    return True
