"""A candidate index: its shape, its name, and the DDL in the three forms a user may want."""

import hashlib
from dataclasses import dataclass, replace

from ..recommendation import Code
from ..schema import Table
from ..sql.identifier import quote_identifier, quote_qualified

MAX_NAME_BYTES = 63
"""NAMEDATALEN − 1: PostgreSQL cuts longer names silently."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: a column name, or an expression (then `column` is None), with its order and operator class."""

    column: str | None
    expression: str = ""
    descending: bool = False
    nulls_first: bool | None = None
    operator_class: str | None = None

    @property
    def sql(self) -> str:
        """The key as it stands in CREATE INDEX."""
        text = quote_identifier(self.column) if self.column is not None else f"({self.expression})"
        if self.operator_class:
            text += f" {self.operator_class}"
        if self.descending:
            text += " DESC"
        # PostgreSQL's default is NULLS LAST ascending and NULLS FIRST descending: only the other one is written.
        if self.nulls_first is not None and self.nulls_first != self.descending:
            text += " NULLS FIRST" if self.nulls_first else " NULLS LAST"
        return text

    @property
    def label(self) -> str:
        """What the index name calls this key."""
        if self.column is not None:
            return self.column
        words = "".join(letter if letter.isalnum() else " " for letter in self.expression).split()
        return "_".join(dict.fromkeys(word.lower() for word in words if word not in ("regconfig", "text")))


@dataclass(frozen=True, slots=True)
class CandidateIndex:
    """An index that could serve a query. shape: what kind of answer it is ("composite", "covering" …), for the report."""

    schema: str
    table: str
    method: str
    keys: tuple[Key, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    shape: str = ""
    extension: str | None = None

    def subsumed_by(self, other: "CandidateIndex") -> bool:
        """Whether `other` can stand in for this one: a B-tree that begins with the same keys and carries as much."""
        return (
            self != other
            and (self.schema, self.table) == (other.schema, other.table)
            and self.method == other.method == "btree"
            and self.predicate == other.predicate
            and other.keys[: len(self.keys)] == self.keys
            and set(self.include) <= {key.column for key in other.keys} | set(other.include)
        )

    def name(self, taken: frozenset[str] = frozenset()) -> str:
        """`ix_{table}_{columns}`, made unique against `taken` and at most 63 bytes."""
        stem = "_".join(["ix", self.table, *(key.label for key in self.keys)])
        for attempt in range(1, 1000):
            name = stem if attempt == 1 else f"{stem}_{attempt}"
            if len(name.encode()) > MAX_NAME_BYTES:
                digest = hashlib.sha256(name.encode()).hexdigest()[:8]
                name = f"{name.encode()[: MAX_NAME_BYTES - 9].decode(errors='ignore')}_{digest}"
            if name not in taken:
                return name
        raise AssertionError("a thousand indexes of one name")

    def definition(self, name: str, *, concurrently: bool) -> str:
        """CREATE INDEX without a semicolon."""
        parts = ["CREATE INDEX"]
        if concurrently:
            parts.append("CONCURRENTLY")
        parts.append(f"{quote_identifier(name)} ON {quote_qualified(self.schema, self.table)}")
        if self.method != "btree":
            parts.append(f"USING {self.method}")
        parts.append("(" + ", ".join(key.sql for key in self.keys) + ")")
        if self.include:
            parts.append("INCLUDE (" + ", ".join(map(quote_identifier, self.include)) + ")")
        if self.predicate:
            parts.append(f"WHERE {self.predicate}")
        return " ".join(parts)

    def codes(self, name: str) -> tuple[Code, ...]:
        """DDL to run, Alembic migration, and the line for the SQLAlchemy model."""
        ddl = self.definition(name, concurrently=True) + ";"
        if self.extension:
            ddl = f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(self.extension)};\n{ddl}"
        return (
            Code("DDL", "sql", ddl),
            Code("Alembic migration", "python", self._migration(name)),
            Code("Model", "python", self._model_line(name)),
        )

    def _migration(self, name: str) -> str:
        arguments = [repr(name), repr(self.table), "[" + ", ".join(self._python_keys("sa.text")) + "]"]
        if self.schema != "public":
            arguments.append(f"schema={self.schema!r}")
        arguments += [*self._python_options("sa.text"), "postgresql_concurrently=True"]
        schema = f", schema={self.schema!r}" if self.schema != "public" else ""
        lines = ["def upgrade() -> None:"]
        if self.extension:
            lines.append(f"    op.execute('CREATE EXTENSION IF NOT EXISTS {quote_identifier(self.extension)}')")
        lines += [
            "    with op.get_context().autocommit_block():",
            "        op.create_index(",
            *(f"            {argument}," for argument in arguments),
            "        )",
            "",
            "",
            "def downgrade() -> None:",
            "    with op.get_context().autocommit_block():",
            f"        op.drop_index({name!r}, table_name={self.table!r}{schema}, postgresql_concurrently=True)",
        ]
        return "\n".join(lines)

    def _model_line(self, name: str) -> str:
        return f"Index({', '.join([repr(name), *self._python_keys('text'), *self._python_options('text')])})"

    def _python_keys(self, text: str) -> list[str]:
        plain = [
            key.column is not None and replace(key, operator_class=None).sql == quote_identifier(key.column)
            for key in self.keys
        ]
        return [
            repr(key.column)
            if is_plain
            else f"{text}({replace(key, operator_class=None).sql!r})"
            if key.operator_class and key.column is not None
            else f"{text}({key.sql!r})"
            for key, is_plain in zip(self.keys, plain, strict=True)
        ]

    def _python_options(self, text: str) -> list[str]:
        options = []
        if self.method != "btree":
            options.append(f"postgresql_using={self.method!r}")
        classes = {key.column: key.operator_class for key in self.keys if key.column and key.operator_class}
        if classes:
            options.append(f"postgresql_ops={classes!r}")
        if self.include:
            options.append(f"postgresql_include={list(self.include)!r}")
        if self.predicate:
            options.append(f"postgresql_where={text}({self.predicate!r})")
        return options


def already_there(candidate: CandidateIndex, table: Table) -> str | None:
    """Name of a valid existing index that serves whatever the candidate would, or None.

    A B-tree serves when the candidate's keys are its prefix (an equal order) and its columns cover the candidate's.
    """
    wanted = [key.column if key.column is not None else key.expression for key in candidate.keys]
    classes = {key.operator_class for key in candidate.keys} - {None}
    for index in table.indexes:
        if not index.valid or index.method != candidate.method:
            continue
        if index.predicate is not None and index.predicate != candidate.predicate:
            continue
        columns = [_bare(column) for column in index.columns]
        same_start = columns[: len(wanted)] == wanted
        if candidate.method != "btree":
            same_start = columns == wanted and (not classes or classes <= set(index.operator_classes))
        flags = [key.descending for key in candidate.keys]
        if index.descending and candidate.method == "btree":
            start = list(index.descending[: len(flags)])
            # A B-tree is read backwards as well, so all flags turned is the same order.
            same_start = same_start and (start == flags or start == [not flag for flag in flags] or not any(flags))
        if same_start and set(candidate.include) <= set(columns) | {_bare(name) for name in index.include}:
            return index.name
    return None


def _bare(column: str) -> str:
    text = column.removesuffix(" DESC").strip()
    return text[1:-1].replace('""', '"') if text.startswith('"') and text.endswith('"') else text
