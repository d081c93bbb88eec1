"""Placeholders of the drivers' dialects, found by token and never by searching the text."""

import itertools
import re
from collections.abc import Callable
from functools import lru_cache

from .tokens import Token, tokenize

_SIGN = re.compile("[$%:]")
"""What every placeholder begins with: a long list of constants without any need not be taken apart."""


def number_placeholders(sql: str) -> str:
    """Every placeholder of any style as `$1`, `$2` …, numbered in text order; the rest of the text stays as it is."""
    count = 0

    def number(token: Token) -> str:
        nonlocal count
        count += 1
        return f"${count}"

    return replace_placeholders(sql, number)


def replace_placeholders(sql: str, replacement: Callable[[Token], str]) -> str:
    """The text with each placeholder token replaced; `%%` outside literals stays."""
    if _SIGN.search(sql) is None:
        return sql
    return "".join(replacement(token) if token.kind == "placeholder" else token.text for token in tokenize(sql))


def undoubled(sql: str) -> str:
    """The text as the server gets it from a driver that halves each `%%`. Beside `%s` placeholders, only in quoted names: the
    other signs are halved together with them."""
    if "%%" not in sql:
        return sql
    tokens = tokenize(sql)
    if any(token.kind == "placeholder" and token.text[0] == "%" for token in tokens):
        return "".join(token.text.replace("%%", "%") if token.kind == "quoted" else token.text for token in tokens)
    return sql.replace("%%", "%")


def has_placeholders(sql: str) -> bool:
    """Whether there is any placeholder."""
    return _SIGN.search(sql) is not None and any(token.kind == "placeholder" for token in tokenize(sql))


@lru_cache(maxsize=2_000)
def number_question_marks(sql: str) -> str:
    """Every `?` of SQLite's drivers as `$1`, `$2` …: PostgreSQL has operators of that name, and no such placeholder."""
    count = itertools.count(1)
    return "".join(
        re.sub(r"\?", lambda _: f"${next(count)}", token.text) if token.kind == "operator" else token.text
        for token in tokenize(sql)
    )
