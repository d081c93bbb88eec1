"""EXPLAIN's conditions, which PostgreSQL writes with every parenthesis, taken apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..analyzer.sql.tokens import Token, significant

_WORDS = frozenset(("and", "or", "not", "is", "null", "true", "false", "any", "all", "array", "case", "when", "then", "else", "end", "from", "time", "collate", "interval", "row"))  # fmt: skip
_TYPES = frozenset("text integer bigint smallint numeric date timestamp timestamptz time double precision real boolean uuid json jsonb varchar char character varying bpchar without with bytea tsvector tsquery regclass oid name year month day hour minute second epoch dow doy week quarter".split())  # fmt: skip

# EXPLAIN writes no comments and no dollar quotes, and doubles a quote within quotes.
_PIECE = re.compile(
    r"""'(?:[^']|'')*+(?:'|\Z)|"(?:[^"]|"")*+(?:"|\Z)|[()\[\]]|[\d$][\w$.]*+|(?P<part>[^\W\d][\w$]*+|[+\-*/<>=~!@\#%^&|`?]++)"""
)
_NO_COMPARISON = frozenset(("->", "->>", "#>", "#>>", "+", "-", "*", "/", "%", "||"))
_CALL = re.compile(r"""[\w$"]\(""")


_LITERAL = re.compile(r"""(?:'(?:[^'\\]|'')*+'|\d++(?:\.\d++)?)(?:::\w++)?""")
_NAME = re.compile(r"([a-z_][a-z0-9_]*+)(?:\.[a-z_][a-z0-9_]*+)?")
_INIT_PLAN = re.compile(r"\((?:hashed )?InitPlan \d+\)\.col\d+")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`, outer parentheses gone; NOT is not looked into."""

    left: str
    operator: str
    right: str


@lru_cache(maxsize=4096)
def arms(text: str, word: str) -> tuple[str, ...]:
    """What stands between the topmost ANDs (or ORs); the text itself when there are none."""
    inner = unwrap(text)
    wanted = word.lower()
    if wanted not in inner.lower():
        return (text,)
    begin, parts = 0, []
    for found in _topmost(inner):
        if found[0].lower() == wanted:
            parts.append(inner[begin : found.start()].strip())
            begin = found.end()
    if not parts:
        return (text,)
    return (*parts, inner[begin:].strip())


@lru_cache(maxsize=4096)
def conjuncts(text: str) -> tuple["Comparison", ...]:
    """The comparisons that are joined by AND at the top."""
    return tuple(found for arm in arms(text, "AND") if (found := comparison(arm)) is not None)


@lru_cache(maxsize=4096)
def comparison(text: str) -> Comparison | None:
    """The comparison that the text is, or None."""
    inner = unwrap(text)
    for found in _topmost(inner):
        part = found[0]
        if part[0].isalpha():
            if part.lower() in ("and", "or", "not", "is", "case"):
                return None
        elif found.start() > 0 and part not in _NO_COMPARISON:
            left, right = inner[: found.start()].strip(), inner[found.end() :].strip()
            return Comparison(unwrap(left), part, unwrap(right)) if left and right else None
    return None


@lru_cache(maxsize=4096)
def unwrap(text: str) -> str:
    """The text without parentheses around the whole of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        depth = 0
        for found in _PIECE.finditer(text):
            depth += 1 if found[0] == "(" else -1 if found[0] == ")" else 0
            if depth == 0:
                if found.end() != len(text):
                    return text
                break
        if depth:
            return text
        text = text[1:-1].strip()
    return text


def _topmost(text: str) -> Iterator[re.Match[str]]:
    """Words and operators outside of any parenthesis or bracket."""
    depth = 0
    for found in _PIECE.finditer(text):
        first = found[0][0]
        if first in "([":
            depth += 1
        elif first in ")]":
            depth -= 1
        elif depth == 0 and found.lastgroup == "part":
            yield found


@lru_cache(maxsize=4096)
def columns(text: str) -> tuple[str, ...]:
    """Names that stand for columns, qualified as written, in order and once each. An InitPlan's result is none."""
    # Nearly all sides of comparisons are one of these, and need not be taken apart.
    if _LITERAL.fullmatch(text) is not None:
        return ()
    name = _NAME.fullmatch(text)
    if name is not None and name[1] not in _WORDS:
        return (text,)
    tokens = significant(_INIT_PLAN.sub("$0", text))
    found: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if not _is_name(token) or (place and tokens[place - 1].text == "::") or _in_time_zone(tokens, place):
            # A type's name may have several words.
            place += 1
            continue
        end = place + 1
        while end + 1 < len(tokens) and tokens[end].text == "." and tokens[end + 1].kind in ("word", "quoted"):
            end += 2
        called = end < len(tokens) and tokens[end].text == "("
        full = "".join(one.text for one in tokens[place:end])
        if not called and not (token.word in _TYPES and end == place + 1 and _after_cast(tokens, place)):
            found.append(full)
        place = end
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def functions(text: str) -> tuple[str, ...]:
    """Names of the functions called, as written; a type with its length (`varying(20)`) is none."""
    if _CALL.search(text) is None:
        return ()
    tokens = significant(text)
    return tuple(
        dict.fromkeys(
            (f"{tokens[n - 2].text}." if n >= 2 and tokens[n - 1].text == "." else "") + token.text
            for n, token in enumerate(tokens[:-1])
            if tokens[n + 1].text == "("
            and token.kind in ("word", "quoted")
            and token.word not in _WORDS
            and not _after_cast(tokens, n)
        )
    )


def column(text: str) -> str | None:
    """The column's bare name when the text is one column, qualified or not."""
    match = re.fullmatch(r'(?:(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)\.){0,2}("(?:[^"]|"")*"|[^\W\d][\w$]*)', text)
    return bare(match[1]) if match and text.lower() not in ("true", "false", "null") else None


def cast(text: str) -> tuple[str, str] | None:
    """(column, type) of a cast column such as `(t.id)::numeric`."""
    match = re.fullmatch(r"\((?P<name>[^()']+)\)::(?P<type>[\w \"()\[\].]+)", text)
    name = column(match["name"]) if match else None
    return (name, match["type"]) if match and name is not None else None


def constant(text: str) -> bool:
    """Whether no column takes part in it."""
    return not columns(text)


def bare(name: str) -> str:
    """The last part of a name, without its quotes."""
    last = str(re.findall(r'"(?:[^"]|"")*"|[^".]+', name)[-1])
    return last[1:-1].replace('""', '"') if last.startswith('"') else last


def qualifier(name: str) -> str | None:
    """The alias before a column's name, if any."""
    parts = re.findall(r'"(?:[^"]|"")*"|[^".]+', name)
    return bare(parts[-2]) if len(parts) > 1 else None


def _is_name(token: Token) -> bool:
    return (token.kind == "word" and token.word not in _WORDS) or token.kind == "quoted"


def _in_time_zone(tokens: list[Token], place: int) -> bool:
    """Whether the word belongs to `AT TIME ZONE`: `at` and `zone` alone are names of columns that need no quotes."""
    before, after = (tokens[n].word if 0 <= n < len(tokens) else "" for n in (place - 1, place + 1))
    return (tokens[place].word == "at" and after == "time") or (tokens[place].word == "zone" and before == "time")


def _after_cast(tokens: list[Token], place: int) -> bool:
    """Whether the word goes on with the name of a type, such as `timestamp without time zone`."""
    back = place - 1
    while back >= 0 and tokens[back].kind == "word" and (tokens[back].word in _TYPES or tokens[back].word in ("time", "zone")):  # fmt: skip
        back -= 1
    return back >= 0 and (tokens[back].text == "::" or (tokens[back].text in ("(", ",") and tokens[back - 1].word in ("extract", "date_part")))  # fmt: skip
