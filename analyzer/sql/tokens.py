"""PostgreSQL's tokens, and the placeholders that drivers write into SQL text.

Linear in the length of the text and never raises: what does not end is taken to the end of the text.
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["space", "comment", "literal", "placeholder", "word", "quoted", "operator", "punctuation"]

# Possessive quantifiers: no input may make the expression go back and try again.
_TOKEN = re.compile(
    r"""
    (?P<space>[\s\ufeff]++)
  | (?P<line>--[^\n]*+)
  | (?P<open>/\*)
  | (?P<escape>[eE]'(?:[^'\\]++|\\(?:.|\Z)|'')*+(?:'|\Z))
  | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']++|'')*+(?:'|\Z))
  | (?P<quoted>(?:[uU]&)?"(?:[^"]++|"")*+(?:"|\Z))
  | (?P<dollar>\$\$.*?(?:\$\$|\Z)|\$(?P<tag>[^\W\d]\w*)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<placeholder>\$\d++|%\([^)]*+\)s|%s(?!\w)|(?<![\w:\]]):[^\W\d]\w*+)
  | (?P<number>(?:0[xX][0-9a-fA-F_]++|0[oO][0-7_]++|0[bB][01_]++|(?:\d[\d_]*+(?:\.(?!\.)\d*+)?|\.\d++)(?:[eE][+-]?\d++)?))
  | (?P<word>[^\W\d][\w$]*+)
  | (?P<punctuation>[(),;.\[\]]|::)
  | (?P<operator>(?:(?!--|/\*|%\([^()]{0,200}\)s|%s(?!\w))[+\-*/<>=~!@\#%^&|`?])++|.)
    """,
    re.VERBOSE | re.DOTALL,
)
MAX_KEPT = 50_000
"""Characters: one and the same statement is asked for again and again by those that read it."""
MAX_ONE_KEPT = 400_000
"""The same, where the last one alone is kept: its tokens may take a hundred times its room."""
_SILENT = frozenset(("space", "comment"))
_HEAD = 4
"""Words in which `CREATE OR REPLACE FUNCTION` says that it makes a routine."""
_ROUTINES = (["function"], ["procedure"])
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_KINDS: dict[str, Kind] = {
    "space": "space",
    "line": "comment",
    "escape": "literal",
    "string": "literal",
    "dollar": "literal",
    "tag": "literal",
    "number": "literal",
    "quoted": "quoted",
    "placeholder": "placeholder",
    "word": "word",
    "punctuation": "punctuation",
    "operator": "operator",
}


class Token(NamedTuple):
    """A piece of the text as it stands there. `start` is its offset."""

    kind: Kind
    text: str
    start: int

    @property
    def word(self) -> str:
        """Lower-case text of an unquoted word, empty for every other kind."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """What a word or a quoted identifier names, empty for every other kind."""
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.word


def tokenize(sql: str) -> list[Token]:
    """All tokens; their texts joined give `sql` back."""
    return _known(sql, frozenset())


def significant(sql: str) -> list[Token]:
    """Tokens without spaces and comments."""
    return _known(sql, _SILENT)


def names_in(sql: str) -> set[str]:
    """What the words and the quoted identifiers of a text name."""
    return {token.name for token in significant(sql)} - {""}


def _known(sql: str, left_out: frozenset[str]) -> list[Token]:
    if len(sql) > MAX_KEPT:
        tokens = _last(sql) if len(sql) <= MAX_ONE_KEPT else _tokens(sql, frozenset())
        return [token for token in tokens if token.kind not in left_out]
    return list(_recent(sql, left_out))


@lru_cache(maxsize=1)
def _last(sql: str) -> list[Token]:
    return _tokens(sql, frozenset())


@lru_cache(maxsize=32)
def _recent(sql: str, left_out: frozenset[str]) -> tuple[Token, ...]:
    return tuple(_tokens(sql, left_out))


def _tokens(sql: str, left_out: frozenset[str]) -> list[Token]:
    tokens: list[Token] = []
    position, end = 0, len(sql)
    while position < end:
        # From the end of one comment to the beginning of the next: comments nest, which no expression can count.
        for match in _TOKEN.finditer(sql, position):
            start = match.start()
            name = match.lastgroup or "operator"
            if name == "open":
                position = _comment_end(sql, match.end())
                if "comment" not in left_out:
                    tokens.append(Token("comment", sql[start:position], start))
                break
            kind = _KINDS[name]
            if kind not in left_out:
                tokens.append(Token(kind, match[0], start))
        else:
            break
    return tokens


def split_statements(sql: str, *, routines: bool = False) -> list[str]:
    """The statements between semicolons, stripped; pieces of only spaces and comments are left out.

    routines: `CREATE FUNCTION … BEGIN ATOMIC …; END` is one statement, semicolons and all, as psql counts.
    """
    statements: list[str] = []
    start, speaks, depth = 0, False, 0
    words: list[str] = []
    for token in tokenize(sql):
        if token.text == ";" and token.kind == "punctuation" and depth == 0:
            if speaks:
                statements.append(sql[start : token.start].strip())
            start, speaks = token.start + 1, False
            words.clear()
        elif token.kind not in ("space", "comment"):
            speaks = True
            if routines and token.kind == "word":
                if len(words) < _HEAD:
                    words.append(token.word)
                if _makes_routine(words):
                    depth = _inside(token.word, depth)
    if speaks:
        statements.append(sql[start:].strip())
    return statements


def _makes_routine(words: list[str]) -> bool:
    return words[:1] == ["create"] and (words[3:] if words[1:3] == ["or", "replace"] else words[1:2]) in _ROUTINES


def _inside(word: str, depth: int) -> int:
    if word == "begin" or (word == "case" and depth):
        return depth + 1
    return depth - 1 if word == "end" and depth else depth


def _comment_end(sql: str, position: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
