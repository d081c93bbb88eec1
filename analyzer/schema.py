"""The database's tables as the rules and the advisor see them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """name and PostgreSQL type (`format_type`), with statistics where ANALYZE has gathered them.

    distinct: estimated number of distinct values (already multiplied out when pg_stats keeps a ratio), None if unknown.
    common_values: most common values as text with their frequency (0–1). correlation: physical order, −1…1.
    average_width: bytes.
    """

    name: str
    type: str
    nullable: bool
    distinct: float | None = None
    null_fraction: float | None = None
    average_width: int | None = None
    correlation: float | None = None
    common_values: tuple[tuple[str, float], ...] = ()
    ndistinct_ratio: float | None = None
    collation: str | None = None
    c_collation: bool = True
    """Whether text compares byte by byte, so that a plain B-tree serves LIKE 'x%' too."""
    generated: bool = False
    length: int | None = None
    """Bytes of a fixed-length type, −1 for a varying one (pg_attribute.attlen)."""
    alignment: int | None = None
    """Bytes that a value's start is a multiple of."""
    elements: float | None = None
    """Of an array or a tsvector: different elements of a row, on average."""
    distinct_elements: float | None = None
    """Of an array or a tsvector: different elements of all rows, estimated from the most common ones."""
    documents: tuple[str, ...] = ()
    """Of jsonb: values that ANALYZE has kept beside the most common ones, each of which stands for as many rows."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index. columns: key columns or expressions as PostgreSQL prints them, in order; include: the covering ones.

    predicate: text of a partial index's condition, else None. method: btree, hash, gin, …
    """

    name: str
    method: str
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    unique: bool = False
    primary: bool = False
    valid: bool = True
    size_bytes: int = 0
    operator_classes: tuple[str, ...] = ()
    descending: tuple[bool, ...] = ()
    nulls_first: tuple[bool, ...] = ()
    constraint: str | None = None
    """Name of the primary key, UNIQUE or EXCLUDE constraint that it upholds."""
    nulls_not_distinct: bool = False
    replica_identity: bool = False
    scans: int | None = None
    """Index scans since the statistics were reset; None when they are not kept."""
    clustered: bool = False
    """Whether CLUSTER orders the table by it."""
    collations: tuple[str, ...] = ()
    """Name of each key's collation; empty for types without."""
    attached: bool = False
    """Whether it belongs to an index of the partitioned table that its table is a part of."""
    default_classes: tuple[bool, ...] = ()
    """Whether each key's operator class is its type's default one."""
    options: tuple[str, ...] = ()
    """Storage parameters as `name=value`, and those of operator classes behind the number of their key."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: local columns → referenced table's columns."""

    name: str
    columns: tuple[str, ...]
    referenced_table: str
    referenced_columns: tuple[str, ...]
    on_delete: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition with its own partitions, if it is partitioned itself. foreign: a foreign table, which has no indexes."""

    schema: str
    name: str
    partitioned: bool = False
    parts: tuple["Partition", ...] = ()
    foreign: bool = False
    indexes: tuple[Index, ...] = ()
    """Those of its own that belong to no index of the whole."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, partitioned table or materialised view. rows: reltuples (None before the first ANALYZE); pages of 8 kB."""

    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    rows: float | None
    pages: int
    size_bytes: int
    partition_of: str | None = None
    writes: int = 0
    """Rows inserted, updated and deleted since the statistics were reset."""
    partition_key: str | None = None
    """Such as `RANGE (created_at)`, of a partitioned table."""
    partitions: tuple[tuple[str, str], ...] = ()
    """Schema and name of each partition directly below."""
    parts: tuple[Partition, ...] = ()
    """The same partitions, with all that is below them."""
    scans: int = 0
    """Sequential and index scans since the statistics were reset."""
    updates: int = 0
    hot_updates: int = 0
    """Rows updated since then, and those of them that needed no new index entries."""
    distinct_groups: tuple[tuple[tuple[str, ...], float], ...] = ()
    """Columns with the number of their distinct combinations, from extended statistics."""
    modified: int | None = None
    """Rows changed since the last ANALYZE; None when not known."""
    heirs: tuple[tuple[str, str], ...] = ()
    """Schema and name of each table that inherits from it directly, and is no partition."""

    def column(self, name: str) -> Column | None:
        """The column of that exact name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class View:
    """A view, with its definition as PostgreSQL prints it, so that queries on it can be read as queries on its tables."""

    schema: str
    name: str
    columns: tuple[str, ...]
    definition: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function that PostgreSQL does not hold to be immutable. arguments: their types; volatility: stable or volatile."""

    name: str
    arguments: tuple[str, ...]
    volatility: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All user tables visible to the role, sorted by schema and name."""

    tables: tuple[Table, ...]
    server_version: int
    """server_version_num, such as 180006."""
    search_path: tuple[str, ...] = ("public",)
    extensions: tuple[str, ...] = ()
    available_extensions: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    functions: tuple[Function, ...] = ()
    """Only those that are not immutable: no index can hold them."""
    counted_days: float | None = None
    """How long scans and writes have been counted; None when not known."""

    def table(self, name: str, schema: str | None = None) -> Table | None:
        """The table of that exact name: in `schema` if given, else the first match along the search path."""
        matches = [table for table in self.tables if table.name == name]
        if schema is not None:
            return next((table for table in matches if table.schema == schema), None)
        for place in self.search_path:
            for table in matches:
                if table.schema == place:
                    return table
        return None
