"""Parameter values into JSON and back. Only exact built-in types are looked into: no method of a foreign object is called."""

import base64
import datetime
import decimal
import uuid
from typing import Any

MAX_TEXT = 16 * 1024
"""Characters of one value; longer ones are recorded as their type only, and the statement is explained without values."""
MAX_DEPTH = 6


def encode_value(value: object, depth: int = 0) -> object:
    """A JSON value; a foreign or oversized one becomes `{"x": type name}`."""
    kind: type = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if abs(value) < 2**64 else {"n": str(value) if abs(value) < 10**1000 else "0"}  # type: ignore[arg-type] # exact int
    if kind is str:
        return value if len(value) <= MAX_TEXT else {"x": "str"}  # type: ignore[arg-type] # exact str
    if isinstance(value, str) and kind.__module__ == "sqlalchemy.sql.elements":
        return str.__str__(value)
    if kind in (bytes, bytearray, memoryview):
        data = bytes(value)  # type: ignore[call-overload] # one of the three
        return {"b": base64.b64encode(data).decode()} if len(data) <= MAX_TEXT else {"x": "bytes"}
    if kind is datetime.datetime or kind is datetime.date or kind is datetime.time:
        return {{"datetime": "dt", "date": "d", "time": "t"}[kind.__name__]: value.isoformat()}  # type: ignore[attr-defined] # exact
    if kind is datetime.timedelta:
        return {"td": [value.days, value.seconds, value.microseconds]}  # type: ignore[attr-defined] # exact
    if kind is decimal.Decimal:
        return {"n": str(value)}
    if kind is uuid.UUID or f"{kind.__module__}.{kind.__name__}" == "asyncpg.pgproto.pgproto.UUID":
        return {"u": str(value)}
    if depth < MAX_DEPTH:
        if kind is list:
            return {"l": [encode_value(item, depth + 1) for item in value]}  # type: ignore[attr-defined] # exact list
        if kind is tuple:
            return {"tu": [encode_value(item, depth + 1) for item in value]}  # type: ignore[attr-defined] # exact tuple
        if kind is dict:
            items: dict[object, object] = value  # type: ignore[assignment] # exact dict
            return {"m": {key: encode_value(item, depth + 1) for key, item in items.items() if type(key) is str}}
    return {"x": kind.__name__}


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
