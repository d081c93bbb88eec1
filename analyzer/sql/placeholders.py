"""Placeholders of the drivers' dialects, found by token and never by searching the text."""

from collections.abc import Callable

from .tokens import Token, tokenize


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
    return "".join(replacement(token) if token.kind == "placeholder" else token.text for token in tokenize(sql))


def undoubled(sql: str) -> str:
    """The text as the server gets it from a driver that halves each `%%`; unchanged where it has `%s` placeholders, with
    which the signs are halved together."""
    if "%%" not in sql or any(token.kind == "placeholder" and token.text[0] == "%" for token in tokenize(sql)):
        return sql
    return sql.replace("%%", "%")


def has_placeholders(sql: str) -> bool:
    """Whether there is any placeholder."""
    return any(token.kind == "placeholder" for token in tokenize(sql))
