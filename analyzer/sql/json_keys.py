"""Puts bound JSON keys into the text: `data ->> $1 = $2` names an expression that can be indexed only when the key is known."""

from collections.abc import Sequence

from ..query import Parameters
from .tokens import Token, tokenize

STEPS = frozenset(("->", "->>", "#>", "#>>"))


def with_json_keys(sql: str, samples: Sequence[Parameters | None]) -> str:
    """The text with each placeholder after `->`, `->>`, `#>` or `#>>` replaced by its value, where all samples have the same
    one. Every other placeholder stays, and so does all where values are not known."""
    if not samples or any(not values for values in samples) or not any(step in sql for step in STEPS):
        return sql
    previous = ""
    ordinal = 0
    parts: list[str] = []
    for token in tokenize(sql):
        if token.kind != "placeholder":
            parts.append(token.text)
            previous = previous if token.kind in ("space", "comment") else token.text
            continue
        value = _common(token, ordinal, samples) if previous in STEPS else None
        ordinal += 1
        parts.append(_literal(value) if _is_key(value) else token.text)
        previous = token.text
    return "".join(parts)


def _is_key(value: object) -> bool:
    """A percent sign or a backslash would mean something else to the driver or the server."""
    return type(value) is int or (isinstance(value, str) and not any(letter in value for letter in "%\\"))


def _common(token: Token, ordinal: int, samples: Sequence[Parameters | None]) -> object:
    found = [_value(token, ordinal, values) for values in samples if values]
    return found[0] if all(one == found[0] for one in found) else None


def _value(token: Token, ordinal: int, values: Parameters) -> object:
    if isinstance(values, dict):
        return values.get(token.text[2:-2] if token.text.startswith("%(") else token.text[1:])
    place = int(token.text[1:]) - 1 if token.text.startswith("$") else ordinal
    return values[place] if place < len(values) else None


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
