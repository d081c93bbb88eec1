"""The relations that a statement may name: what binding columns to tables has to know of the database."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..schema import Schema

TableColumns = Mapping[str, frozenset[str]]
"""Column names by table name, where no more is known."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view. types: PostgreSQL type by column, "" where only the name is known. view: its definition's text."""

    schema: str | None
    name: str
    types: Mapping[str, str]
    view: str | None = None


class Relations:
    """Finds relations by name as PostgreSQL does: in the named schema, else along the search path."""

    def __init__(self, known: Schema | TableColumns | None = None) -> None:
        self._found: dict[tuple[str | None, str], Relation] = {}
        self._path: tuple[str | None, ...] = (None,)
        if isinstance(known, Schema):
            self._path = known.search_path
            for table in known.tables:
                types = {column.name: column.type for column in table.columns}
                self._found[table.schema, table.name] = Relation(table.schema, table.name, types)
            for view in known.views:
                types = dict.fromkeys(view.columns, "")
                self._found[view.schema, view.name] = Relation(view.schema, view.name, types, view.definition)
        elif known:
            for name, columns in known.items():
                self._found[None, name] = Relation(None, name, dict.fromkeys(columns, ""))

    def find(self, name: str, schema: str | None) -> Relation | None:
        """The relation, or None when it is not known."""
        if schema is not None and None not in self._path:
            return self._found.get((schema, name))
        return next((self._found[place, name] for place in self._path if (place, name) in self._found), None)
