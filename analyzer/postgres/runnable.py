"""From a recorded statement to one that can be explained: its values bound, or none needed."""

from psycopg2 import Error as DriverError
from psycopg2.extensions import adapt
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..query import Parameters
from ..sql.placeholders import has_placeholders, number_placeholders, replace_placeholders
from ..sql.tokens import Token, tokenize
from ..workload import ParameterSample

_TYPED = frozenset(("interval", "date", "timestamp", "timestamptz", "time", "timetz"))


def bind(sample: ParameterSample, connection: Connection) -> str | None:
    """The statement with its recorded values as quoted literals, or None when they are not known.

    Raises StatementError when a value is of a type that cannot be written as SQL.
    """
    if not has_placeholders(sample.sql):
        return sample.sql
    if not sample.values:
        return None
    try:
        if isinstance(sample.values, tuple) and "$1" in sample.sql:
            return _bind_numbered(sample.sql, sample.values, connection)
        with connection.cursor() as cursor:
            return cursor.mogrify(sample.sql, sample.values).decode(connection_encoding(connection))
    except (DriverError, TypeError, ValueError, KeyError, IndexError, UnicodeError) as error:
        raise StatementError(f"its recorded values cannot be written as SQL ({type(error).__name__})") from None


def generic(sql: str) -> str:
    """`$n` text that PostgreSQL can parse: typed literals that pg_stat_statements cut the value from get a cast instead."""
    tokens = tokenize(number_placeholders(sql))
    out: list[str] = []
    for index, token in enumerate(tokens):
        following = next((t for t in tokens[index + 1 :] if t.kind not in ("space", "comment")), None)
        before = _significant_before(tokens, index)
        if token.word in _TYPED and following is not None and following.kind == "placeholder":
            continue
        if token.kind == "placeholder" and before is not None and before.word in _TYPED:
            out.append(f"{token.text}::{before.word}")
            continue
        out.append(token.text)
    return "".join(out)


def connection_encoding(connection: Connection) -> str:
    """Python's name of the connection's encoding."""
    return {"UTF8": "utf-8", "LATIN1": "latin-1", "SQLASCII": "utf-8"}.get(connection.encoding, connection.encoding)


def _bind_numbered(sql: str, values: Parameters, connection: Connection) -> str:
    def literal(token: Token) -> str:
        value = values[int(token.text[1:]) - 1]  # type: ignore[index] # only tuples come here
        adapted = adapt(value if not isinstance(value, tuple) else list(value))
        if hasattr(adapted, "prepare"):
            adapted.prepare(connection)
        # A sign right after an operator would become part of the operator: brackets keep them apart.
        return f"({adapted.getquoted().decode(connection_encoding(connection))})"

    return replace_placeholders(sql, literal)


def _significant_before(tokens: list[Token], index: int) -> Token | None:
    return next((t for t in reversed(tokens[:index]) if t.kind not in ("space", "comment")), None)
