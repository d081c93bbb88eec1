"""SQL text without the values in it."""

from functools import lru_cache

from ..sql.tokens import tokenize


@lru_cache(maxsize=4096)
def without_literals(text: str) -> str:
    """SQL text with `?` for every literal."""
    if text.isidentifier():
        return text
    return "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))
