"""Identifiers in SQL that we generate."""


def quote_identifier(name: str) -> str:
    """The name as a quoted SQL identifier; always quoted, so that no keyword list is needed."""
    return '"' + name.replace('"', '""') + '"'


def unquote_identifier(name: str) -> str:
    """The name that the identifier, quoted or not, stands for, as PostgreSQL prints it."""
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def quote_qualified(schema: str | None, name: str) -> str:
    """`"schema"."name"`, or `"name"` alone where the schema is not known."""
    return f"{quote_identifier(schema)}.{quote_identifier(name)}" if schema else quote_identifier(name)
