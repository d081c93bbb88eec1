"""Parameter values into JSON and back. Only exact built-in types are looked into: no method of a foreign object is called."""

import base64
import datetime
import decimal
import json
import uuid
import zoneinfo
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quote
from typing import Any

MAX_TEXT = 16 * 1024
"""Characters of one value; longer ones are recorded as their type only, and the statement is explained without values."""
MAX_DEPTH = 6
MAX_ITEMS = 4_000
"""Values in one set of parameters; larger sets are not kept."""
LARGE = 2**63
MAX_PARAMETERS = 40 * 1024
"""Characters of one set of parameters in the journal."""


class TooMuchError(ValueError):
    """There are more values than are kept."""


def encode_parameters(parameters: object) -> str | None:
    """One set of bound values as JSON; None when there is none or it is too large to keep."""
    kind = type(parameters)
    # Most statements are given one key.
    if kind is tuple and len(parameters) == 1 and type(parameters[0]) is int and -LARGE < parameters[0] < LARGE:  # type: ignore[arg-type, index] # exact tuple
        return f'{{"tu":[{parameters[0]}]}}'  # type: ignore[index] # exact tuple
    try:
        if kind is tuple:
            text = _sequence("tu", parameters)
        elif kind is dict:
            text = _mapping(parameters)
        elif kind is list:
            text = _sequence("l", parameters)
        elif parameters is not None and issubclass(kind, dict) and _module(kind).startswith("sqlalchemy."):
            text = _mapping(dict(parameters))  # type: ignore[call-overload] # SQLAlchemy's own immutable dictionary
        else:
            return None
    except TooMuchError:
        return None
    return text if len(text) <= MAX_PARAMETERS else None


def _sequence(tag: str, values: Any) -> str:
    if len(values) > MAX_ITEMS:
        raise TooMuchError
    parts = []
    for value in values:
        kind = type(value)
        # Keys are what most statements are given.
        if kind is int and -(2**63) <= value < 2**63:
            parts.append(f"{value}")
        else:
            parts.append(_WRITERS.get(kind, _other)(value))
    return f'{{"{tag}":[{",".join(parts)}]}}'


def _mapping(values: Any) -> str:
    if len(values) > MAX_ITEMS:
        raise TooMuchError
    parts = []
    for key, value in values.items():
        if type(key) is str:
            write = _WRITERS.get(type(value))
            parts.append(f"{quote(key)}:{write(value) if write is not None else _other(value)}")
    return f'{{"m":{{{",".join(parts)}}}}}'


def _other(value: object) -> str:
    return json.dumps(encode_value(value, 1, _Budget()), separators=(",", ":"))


_WRITERS: dict[type, Callable[[Any], str]] = {
    int: lambda value: str(value) if -(2**63) <= value < 2**63 else _other(value),
    str: lambda value: quote(value) if len(value) <= MAX_TEXT else '{"x":"str"}',
    type(None): lambda value: "null",
    bool: lambda value: "true" if value else "false",
}
"""The commonest types, written by hand; all others go the long way."""


class _Budget:
    """Counts values: a list that holds itself many times over must not be walked for ever."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_ITEMS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooMuchError


def encode_value(value: object, depth: int = 0, budget: _Budget | None = None) -> object:
    """A JSON value; a foreign or oversized one becomes `{"x": type name}`. Raises TooMuchError for thousands of values."""
    budget = budget or _Budget()
    budget.spend()
    kind: type = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if abs(value) < 2**64 else {"n": str(value) if abs(value) < 10**1000 else "0"}  # type: ignore[arg-type] # exact int
    if kind is str:
        return value if len(value) <= MAX_TEXT else {"x": "str"}  # type: ignore[arg-type] # exact str
    if issubclass(kind, str) and _module(kind) == "sqlalchemy.sql.elements":
        return str.__str__(value)
    if kind in (bytes, bytearray, memoryview):
        length = value.nbytes if kind is memoryview else len(value)  # type: ignore[attr-defined, arg-type] # exact
        return {"b": base64.b64encode(bytes(value)).decode()} if length <= MAX_TEXT else {"x": "bytes"}  # type: ignore[call-overload] # exact
    if kind is datetime.date:
        return {"d": value.isoformat()}  # type: ignore[attr-defined] # exact
    if (kind is datetime.datetime or kind is datetime.time) and type(value.tzinfo) in _ZONES:  # type: ignore[attr-defined] # exact
        return {"dt" if kind is datetime.datetime else "t": value.isoformat()}  # type: ignore[attr-defined] # exact
    if kind is datetime.timedelta:
        return {"td": [value.days, value.seconds, value.microseconds]}  # type: ignore[attr-defined] # exact
    if kind is decimal.Decimal:
        return {"n": str(value)}
    if kind is uuid.UUID or (_module(kind), _type_name(kind)) == ("asyncpg.pgproto.pgproto", "UUID"):
        return {"u": str(value)}
    if depth < MAX_DEPTH:
        if kind is list:
            return {"l": [encode_value(item, depth + 1, budget) for item in value]}  # type: ignore[attr-defined] # exact list
        if kind is tuple:
            return {"tu": [encode_value(item, depth + 1, budget) for item in value]}  # type: ignore[attr-defined] # exact tuple
        if kind is dict:
            items: dict[object, object] = value  # type: ignore[assignment] # exact dict
            return {
                "m": {key: encode_value(item, depth + 1, budget) for key, item in items.items() if type(key) is str}
            }
    return {"x": _type_name(kind)}


# Asked of `type` itself: a metaclass may answer with anything.
_type_name: Callable[[type], str] = type.__dict__["__name__"].__get__


def _module(kind: type) -> str:
    module = type.__dict__["__module__"].__get__(kind)
    return module if type(module) is str else ""


# Zones whose offset is worked out without running anyone else's code.
_ZONES = (type(None), datetime.timezone, zoneinfo.ZoneInfo)


def decode_value(value: Any) -> object:
    """The value again. Raises ValueError when it was not kept or the encoding is unknown."""
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("not an encoded value")
    ((tag, inner),) = value.items()
    try:
        match tag:
            case "b":
                return base64.b64decode(inner)
            case "dt":
                return datetime.datetime.fromisoformat(inner)
            case "d":
                return datetime.date.fromisoformat(inner)
            case "t":
                return datetime.time.fromisoformat(inner)
            case "td":
                return datetime.timedelta(*inner)
            case "n":
                return decimal.Decimal(inner)
            case "u":
                return str(uuid.UUID(inner))
            case "l":
                return [decode_value(item) for item in inner]
            case "tu":
                return tuple(decode_value(item) for item in inner)
            case "m":
                return {key: decode_value(item) for key, item in inner.items()}
    except (TypeError, AttributeError, decimal.InvalidOperation, OverflowError) as error:
        raise ValueError(str(error)) from None
    raise ValueError(f"a value of type {inner} was not kept")
