"""SQL text without the values in it."""

import re
from functools import lru_cache

from ..sql.tokens import tokenize

_PIECE = re.compile(
    r"""
    (?P<rest>(?:
        (?<![\w$"])(?:Sub|Init)Plan\ \d++
      | [\s\ufeff]++
      | (?:[uU]&)?"(?:[^"]++|"")*+(?:"|\Z)
      | \$\d++ | %\([^)]*+\)s | %s(?!\w) | (?<![\w:\]]):[^\W\d]\w*+
      | (?![eEbBxXnN]'|[uU]&['"])[^\W\d][\w$]*+
      | [(),;\[\]] | :: | \.(?!\d)
      | (?:(?!--|/\*|%\([^()]{0,200}\)s|%s(?!\w))[+\-*/<>=~!@\#%^&|`?])++
    )++)
  | (?P<literal>[eE]'(?:[^'\\]++|\\(?:.|\Z)|'')*+(?:'|\Z)
      | (?:[bBxXnN]|[uU]&)?'(?:[^']++|'')*+(?:'|\Z)
      | 0[xX][0-9a-fA-F_]++ | 0[oO][0-7_]++ | 0[bB][01_]++ | (?:\d[\d_]*+(?:\.(?!\.)\d*+)?|\.\d++)(?:[eE][+-]?\d++)?
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""The number of a subplan is none of the statement's. Long runs without a literal in one step; the parts are those of `tokenize`, without comments and dollar quotes."""
_RARE = re.compile(r"--|/\*|\$(?!\d)")


@lru_cache(maxsize=4096)
def without_literals(text: str) -> str:
    """SQL text with `?` for every literal."""
    if _RARE.search(text) is not None:
        return "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))
    return _PIECE.sub(_shown, text)


def _shown(piece: re.Match[str]) -> str:
    return "?" if piece.lastgroup == "literal" else piece[0]
