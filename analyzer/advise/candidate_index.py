"""A candidate index: its shape, its name, and its definition."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..recommendation import Code
from ..schema import Index, Partition
from ..sql.identifier import quote_identifier, quote_qualified, shortened
from .candidate_code import index_codes
from .partition_recipe import NOTHING


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a column name, or an expression (then `column` is None), with its order and operator class."""

    column: str | None
    expression: str = ""
    descending: bool = False
    nulls_first: bool | None = None
    operator_class: str | None = None

    def __post_init__(self) -> None:
        """One spelling for one order: NULLS LAST ascending and NULLS FIRST descending are PostgreSQL's defaults."""
        if self.nulls_first == self.descending:
            object.__setattr__(self, "nulls_first", None)

    @property
    def sql(self) -> str:
        """The key as it stands in CREATE INDEX."""
        text = self.bare
        if self.operator_class:
            text += f" {self.operator_class}"
        return text + self.order

    @property
    def bare(self) -> str:
        """The column or the expression alone."""
        return quote_identifier(self.column) if self.column is not None else f"({self.expression})"

    @property
    def order(self) -> str:
        """What is written after the key when its order is not the default one, with a leading blank."""
        text = " DESC" if self.descending else ""
        if self.nulls_first is not None:
            text += " NULLS FIRST" if self.nulls_first else " NULLS LAST"
        return text

    @property
    def label(self) -> str:
        """What the index name calls this key."""
        if self.column is not None:
            return self.column
        words = "".join(letter if letter.isalnum() else " " for letter in self.expression).split()
        return "_".join(dict.fromkeys(word.lower() for word in words if word not in ("regconfig", "text")))

    @property
    def flipped(self) -> "Key":
        """The key of the same index read backwards."""
        # Read backwards, the default order is the other direction's default.
        turned = None if self.nulls_first is None else not self.nulls_first
        return Key(self.column, self.expression, not self.descending, turned, self.operator_class)


@dataclass(frozen=True, slots=True)
class CandidateIndex:
    """An index that could serve a query. shape: what kind of answer it is ("composite", "covering" …), for the report.

    options: storage parameters. partitions: the parts of a partitioned table, for the recipe that builds them one by
    one. Two candidates are equal when PostgreSQL would build the same index.
    """

    schema: str
    table: str
    method: str
    keys: tuple[Key, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    shape: str = field(default="", compare=False)
    extension: str | None = field(default=None, compare=False)
    unique: bool = False
    nulls_not_distinct: bool = False
    options: tuple[tuple[str, str], ...] = ()
    partitions: tuple[Partition, ...] = field(default=(), compare=False)

    def subsumed_by(self, other: "CandidateIndex") -> bool:
        """Whether `other` can stand in for this one: a B-tree that begins with the same keys and carries as much. It finds
        what a hash index finds, too."""
        return (
            self != other
            and (self.schema, self.table) == (other.schema, other.table)
            and self.method in ("btree", "hash")
            and other.method == "btree"
            and not self.unique
            and self.predicate == other.predicate
            and other.keys[: len(self.keys)] == self.keys
            and set(self.include) <= {key.column for key in other.keys} | set(other.include)
        )

    @property
    def id(self) -> str:
        """Stable identity: equal for equal candidates."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def create(self) -> str:
        """CREATE INDEX or CREATE UNIQUE INDEX."""
        return "CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX"

    def name(self, taken: frozenset[str] = frozenset()) -> str:
        """`ix_{table}_{columns}`, made unique against `taken` and at most 63 bytes."""
        stem = "_".join(["ix", self.table, *(key.label for key in self.keys)]).replace("\0", "")
        for attempt in range(1, 1000):
            name = shortened(stem if attempt == 1 else f"{stem}_{attempt}")
            if name not in taken:
                return name
        raise AssertionError("a thousand indexes of one name")

    def definition(self, name: str, *, concurrently: bool) -> str:
        """CREATE INDEX without a semicolon."""
        parts = [self.create]
        if concurrently:
            parts.append("CONCURRENTLY")
        parts += [quote_identifier(name), "ON", self.target(self.schema, self.table)]
        return " ".join(parts)

    def target(self, schema: str, table: str) -> str:
        """The definition from the table's name on, for this table or one of its partitions."""
        parts = [quote_qualified(schema, table)]
        if self.method != "btree":
            parts.append(f"USING {self.method}")
        parts.append("(" + ", ".join(key.sql for key in self.keys) + ")")
        if self.include:
            parts.append("INCLUDE (" + ", ".join(map(quote_identifier, self.include)) + ")")
        if self.nulls_not_distinct:
            parts.append("NULLS NOT DISTINCT")
        if self.options:
            parts.append("WITH (" + ", ".join(f"{option} = {value}" for option, value in self.options) + ")")
        if self.predicate:
            parts.append(f"WHERE {self.predicate}")
        return " ".join(parts)

    def codes(self, name: str, standing: Mapping[tuple[str, str], Index] = NOTHING) -> tuple[Code, ...]:
        """DDL to run, Alembic migration, and the line for the SQLAlchemy model. standing: see `standing_indexes`."""
        return index_codes(self, name, standing)
