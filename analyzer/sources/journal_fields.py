"""Values of a journal's records, of which any may be damaged or forged. Raise TypeError, ValueError or KeyError for such."""

import math
from typing import Any

from ..query import OptionCheck, Parameters
from ..record.values import decode_value

Members = tuple[tuple[str, int, bool], ...]


def check_of(value: dict[str, Any]) -> OptionCheck:
    problem = None if value.get("ok") else str(value.get("why") or "it does not compile")
    return OptionCheck(
        str(value["opt"]), problem, tuple(map(str, value.get("orm") or ())), _pairs(value.get("cls")),
        _pairs(value.get("rep")), bool(value.get("al")),
    )  # fmt: skip


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(one), str(other)) for one, other in value or ())


def members_of(value: Any) -> Members:
    return tuple((str(name), int(count), bool(own)) for name, count, own in value or ())


def duration_of(value: Any) -> float:
    """Milliseconds: whole nanoseconds, and in version 1 milliseconds with a point."""
    return _finite(value / 1e6 if type(value) is int else value)


def moment_of(value: Any) -> float:
    """Seconds since the epoch: whole microseconds, and in version 1 seconds with a point."""
    return _finite(value / 1e6 if type(value) is int else value)


def _finite(value: Any) -> float:
    """JSON lets NaN and infinity through, and a forged time could be below zero: figures would be nonsense."""
    if type(value) is not float or not 0 <= value < math.inf:
        raise ValueError("not a time")
    return value


def count_of(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def text_of(value: Any) -> str | None:
    return value if value is None else str(value)


def number_of(value: Any) -> int | None:
    return value if value is None else int(value)


def parameters_of(record: dict[str, Any]) -> Parameters | None:
    if record.get("p") is None:
        return None
    try:
        value = decode_value(record["p"])
    except ValueError:
        return None
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, (dict, tuple)) else None
