"""Which tables a statement's plan can depend on."""

import re

from ..errors import StatementError
from ..schema import Schema
from ..sql.syntax import read_syntax

_WORD = re.compile(r'[\w$]+|"(?:[^"]|"")+"')
_STAR = re.compile(r"(?i)(?:\b(?:select|distinct|all)|,|\.|\))\s*\*")
_UNNAMED = re.compile(r"(?i)\b(?:distinct|union|intersect|except)\b|\bby\b[^()]*?(?:,|\bby)\s*\d")
_NATURAL = re.compile(r"(?i)\bnatural\b")
Place = tuple[str, str]
"""Schema and name of a relation."""


class TextTables:
    """Tables that statements read or write, views looked through; with a table its partitions and heirs and all that it is a
    part or an heir of, because an index on one of them concerns the others."""

    def __init__(self, schema: Schema) -> None:
        self._parts = {(table.schema, table.name): (*table.partitions, *table.heirs) for table in schema.tables}
        self._parents = {part: parent for parent, parts in self._parts.items() for part in parts}
        self._views = {(view.schema, view.name): view.definition for view in schema.views}
        self._named: dict[str, list[Place]] = {}
        for place in (*self._parts, *self._views):
            for name in (place[1], ".".join(place)):
                # A name without schema is taken for each relation of that name.
                self._named.setdefault(name, []).append(place)
        self._seen: dict[Place, frozenset[Place] | None] = {}

    def of(self, sql: str) -> frozenset[Place] | None:
        """The tables; None when the text cannot be read, so that it may depend on any."""
        try:
            names = read_syntax(sql).relations
        except StatementError:
            return None
        found: set[Place] = set()
        for place in [place for name in names for place in self._named.get(name, ())]:
            behind = self._behind(place)
            if behind is None:
                return None
            found |= behind
        return frozenset(found)

    def words(self, sql: str) -> frozenset[str]:
        """Every word of the text and of the views that it names: the columns that it asks for are among them."""
        found, new = set[str](), set(_words(sql))
        while new - found:
            views = [place for word in new - found for place in self._named.get(word, ()) if place in self._views]
            found |= new
            new = {word for place in views for word in _words(self._views[place])}
        return frozenset(found)

    def unnamed(self, sql: str) -> bool:
        """Whether a plan may compare or sort columns that the text does not name: NATURAL JOIN, `ORDER BY 2`, UNION of `*`."""
        return bool(_NATURAL.search(sql) or (_STAR.search(sql) and _UNNAMED.search(sql)))

    def _behind(self, place: Place) -> frozenset[Place] | None:
        if place not in self._seen:
            self._seen[place] = frozenset()  # no view reads itself; should one say so, this ends it
            definition = self._views.get(place)
            self._seen[place] = self._family(place) if definition is None else self.of(definition)
        return self._seen[place]

    def _family(self, place: Place) -> frozenset[Place]:
        found, waiting = set(), [place]
        while waiting:
            one = waiting.pop()
            found.add(one)
            waiting += self._parts.get(one, ())
        while place in self._parents:
            place = self._parents[place]
            found.add(place)
        return frozenset(found)


def _words(sql: str) -> list[str]:
    """Names as the catalog has them: `"Kunde %"` is one word, and so is what stands inside it."""
    found = []
    for word in _WORD.findall(sql):
        if word.startswith('"'):
            found += [word[1:-1].replace('""', '"'), *re.findall(r"\w+", word)]
        else:
            # As PostgreSQL folds it, too.
            found += [word, word.lower()]
    return found
