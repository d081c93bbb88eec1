"""Identifiers in SQL that we generate."""

import hashlib

MAX_NAME_BYTES = 63
"""NAMEDATALEN − 1: PostgreSQL cuts longer names silently."""
DIGEST_BYTES = 9
"""`_` and eight hexadecimal digits in place of what was cut."""


def quote_identifier(name: str) -> str:
    """The name as a quoted SQL identifier; always quoted, so that no keyword list is needed."""
    return '"' + name.replace('"', '""') + '"'


def unquote_identifier(name: str) -> str:
    """The name that the identifier, quoted or not, stands for, as PostgreSQL prints it."""
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def shortened(name: str) -> str:
    """The name, at most 63 bytes: of a longer one its beginning and a digest of the whole."""
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_NAME_BYTES - DIGEST_BYTES].decode(errors='ignore')}_{digest}"


def quote_qualified(schema: str | None, name: str) -> str:
    """`"schema"."name"`, or `"name"` alone where the schema is not known."""
    return f"{quote_identifier(schema)}.{quote_identifier(name)}" if schema else quote_identifier(name)
