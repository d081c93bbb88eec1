"""From a recorded statement to one that can be explained: its values bound, or none needed."""

from collections.abc import Sequence

from psycopg2 import Error as DriverError
from psycopg2.extensions import adapt
from psycopg2.extensions import connection as Connection

from ..errors import StatementError
from ..query import Parameters
from ..sql.placeholders import has_placeholders, replace_placeholders
from ..sql.tokens import Token
from ..workload import ParameterSample


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


def execute_call(values: Sequence[str], connection: Connection) -> str:
    """`EXECUTE` of the prepared statement with values as quoted literals, which PostgreSQL reads as the parameters' types."""
    return f"EXECUTE queryproof_statement({', '.join(_literal(value, connection) for value in values)})"


def bind_typed(sql: str, values: Sequence[str], types: Sequence[str], connection: Connection) -> str:
    """The text with each `$n` as a literal of its type."""

    def literal(token: Token) -> str:
        number = int(token.text[1:]) - 1
        return f"({_literal(values[number], connection)}::{types[number]})"

    return replace_placeholders(sql, literal)


def connection_encoding(connection: Connection) -> str:
    """Python's name of the connection's encoding."""
    return {"UTF8": "utf-8", "LATIN1": "latin-1", "SQLASCII": "utf-8"}.get(connection.encoding, connection.encoding)


def _bind_numbered(sql: str, values: Parameters, connection: Connection) -> str:
    def literal(token: Token) -> str:
        value = values[int(token.text[1:]) - 1]  # type: ignore[index] # only tuples come here
        # A sign right after an operator would become part of the operator: brackets keep them apart.
        return f"({_literal(value, connection)})"

    return replace_placeholders(sql, literal)


def _literal(value: object, connection: Connection) -> str:
    adapted = adapt(value if not isinstance(value, tuple) else list(value))
    if hasattr(adapted, "prepare"):
        adapted.prepare(connection)
    return str(adapted.getquoted().decode(connection_encoding(connection)))
