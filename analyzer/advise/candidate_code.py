"""A candidate index as the user takes it over: DDL, Alembic revision, line of the SQLAlchemy model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..recommendation import Code
from ..schema import Index, Table
from ..sql.identifier import quote_identifier, quote_qualified
from .partition_recipe import LONG, SHORT, every_part, partition_recipe, standing_again

if TYPE_CHECKING:
    from .candidate_index import CandidateIndex

DUPLICATES = "Before it: values that come twice"


def index_codes(index: "CandidateIndex", name: str, standing: Mapping[tuple[str, str], Index]) -> tuple[Code, ...]:
    """The three forms, in the order in which the report shows them; of a UNIQUE index what to look for before it, too.

    standing: by schema and name of a part the equal index that it has already.
    """
    return (
        Code("DDL", "sql", "\n".join(f"{statement};" for statement in ddl(index, name, standing))),
        Code("Alembic migration", "python", migration(index, name, standing)),
        Code("Model", "python", model_line(index, name)),
        *([Code(DUPLICATES, "sql", f"{duplicates_query(index)};")] if index.unique else []),
    )


def duplicates_query(index: "CandidateIndex") -> str:
    """The first keys, if any, for which the UNIQUE index could not be built, without a semicolon."""
    keys = ", ".join(key.bare for key in index.keys)
    known = " AND ".join(f"{key.bare} IS NOT NULL" for key in index.keys)
    table = quote_qualified(index.schema, index.table)
    return f"SELECT {keys}, count(*) FROM {table} WHERE {known} GROUP BY {keys} HAVING count(*) > 1 LIMIT 20"  # noqa: S608 - quoted identifiers


def ddl(index: "CandidateIndex", name: str, standing: Mapping[tuple[str, str], Index]) -> list[str]:
    """The statements to run one after the other, each outside a transaction."""
    statements = []
    if index.extension:
        statements.append(f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(index.extension)}")
    if not index.partitions:
        return [*statements, index.definition(name, concurrently=True)]
    return statements + partition_recipe(index, name, standing)


def invalid_index_check(index: "CandidateIndex", name: str) -> str:
    """A query that returns a row when a build that failed has left the index behind, invalid."""
    regclass = quote_qualified(index.schema, name).replace("'", "''")
    return f"SELECT indexrelid::regclass FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass('{regclass}') AND NOT indisvalid"  # noqa: S608 - a quoted identifier


def migration(index: "CandidateIndex", name: str, standing: Mapping[tuple[str, str], Index]) -> str:
    """upgrade and downgrade of an Alembic revision; both run outside its transaction, as CONCURRENTLY needs."""
    if index.partitions:
        return _partitioned_migration(index, name, standing)
    schema = [f"schema={index.schema!r}"] if index.schema != "public" else []
    keys = "[" + ", ".join(_python_keys(index, "sa.text")) + "]"
    options = [*_python_options(index, "sa.text"), "postgresql_concurrently=True"]
    arguments = [repr(name), repr(index.table), keys, *schema, *options]
    drop = ", ".join([repr(name), f"table_name={index.table!r}", *schema, "postgresql_concurrently=True"])
    return "\n".join(
        [
            "def upgrade() -> None:",
            *_extension(index),
            "    with op.get_context().autocommit_block():",
            "        # A build that failed leaves an invalid index behind: it is taken away before trying again.",
            f"        op.drop_index({drop}, if_exists=True)",
            "        op.create_index(",
            *(f"            {argument}," for argument in arguments),
            "        )",
            "",
            "",
            "def downgrade() -> None:",
            "    with op.get_context().autocommit_block():",
            f"        op.drop_index({drop}, if_exists=True)",
        ]
    )


def drop_codes(schema: str, name: str, table: Table, definition: str) -> tuple[Code, ...]:
    """How an existing index is dropped, and how it comes back. definition: pg_get_indexdef's.

    CONCURRENTLY is refused for a partitioned table's index, on the way out and on the way back.
    """
    whole = table.kind == "partitioned table"
    concurrently = "" if whole else "CONCURRENTLY "
    drop = [f"DROP INDEX {concurrently}IF EXISTS {quote_qualified(schema, name)}"]
    create = [definition.replace("INDEX ", f"INDEX {concurrently}", 1)]
    if whole:
        drop, create = _shortly(drop), _shortly(create)
    migration = [
        "def upgrade() -> None:",
        "    with op.get_context().autocommit_block():",
        *_executed(drop),
        "",
        "",
        "def downgrade() -> None:",
        "    with op.get_context().autocommit_block():",
        *_executed(create),
    ]
    ddl = "\n".join(f"{statement};" for statement in drop)
    return Code("DDL", "sql", ddl), Code("Alembic migration", "python", "\n".join(migration))


def _shortly(statements: list[str]) -> list[str]:
    """Statements that others would wait behind, so that they give up soon."""
    return [SHORT, *statements, LONG]


def _executed(statements: list[str]) -> list[str]:
    return [f"        op.execute({_literal(statement)})" for statement in statements]


def _partitioned_migration(index: "CandidateIndex", name: str, standing: Mapping[tuple[str, str], Index]) -> str:
    """downgrade gives parts their own indexes back: DROP INDEX on the whole takes all that were attached to it."""
    dropped = _shortly([f"DROP INDEX IF EXISTS {quote_qualified(index.schema, name)}"])
    back = [
        statement
        for part in every_part(index.partitions)
        if (part.schema, part.name) in standing
        for statement in standing_again(index, part, standing[part.schema, part.name])
    ]
    return "\n".join(
        [
            "def upgrade() -> None:",
            *_extension(index),
            "    with op.get_context().autocommit_block():",
            *_executed([*dropped, *partition_recipe(index, name, standing, again=True)]),
            "",
            "",
            "def downgrade() -> None:",
            "    with op.get_context().autocommit_block():",
            *_executed([*dropped, *back]),
        ]
    )


def _literal(statement: str) -> str:
    """The statement for op.execute, which reads `:name` as a parameter unless the colon is escaped."""
    return repr(statement.replace(":", "\\:"))


def _extension(index: "CandidateIndex") -> list[str]:
    if not index.extension:
        return []
    return [f"    op.execute('CREATE EXTENSION IF NOT EXISTS {quote_identifier(index.extension)}')"]


def model_line(index: "CandidateIndex", name: str) -> str:
    """The `Index(…)` of `__table_args__`."""
    return f"Index({', '.join([repr(name), *_python_keys(index, 'text'), *_python_options(index, 'text')])})"


def _python_keys(index: "CandidateIndex", text: str) -> list[str]:
    """A plain column by its name; anything else as text, in which `:` would begin a parameter."""
    return [
        repr(key.column)
        if key.column is not None and not key.order and not key.operator_class
        else repr(key.column)
        if key.column is not None and not key.order and _class_by_name(index)
        else f"{text}({key.sql.replace(':', chr(92) + ':')!r})"
        for key in index.keys
    ]


def _class_by_name(index: "CandidateIndex") -> bool:
    """Whether operator classes are given by `postgresql_ops`, which only plain columns can have."""
    return all(key.column is not None and not key.order for key in index.keys if key.operator_class)


def _python_options(index: "CandidateIndex", text: str) -> list[str]:
    options = ["unique=True"] if index.unique else []
    if index.method != "btree":
        options.append(f"postgresql_using={index.method!r}")
    classes = {key.column: key.operator_class for key in index.keys if key.column and key.operator_class}
    if classes and _class_by_name(index):
        options.append(f"postgresql_ops={classes!r}")
    if index.include:
        options.append(f"postgresql_include={list(index.include)!r}")
    if index.nulls_not_distinct:
        options.append("postgresql_nulls_not_distinct=True")
    if index.options:
        options.append(f"postgresql_with={dict(index.options)!r}")
    if index.predicate:
        options.append(f"postgresql_where={text}({index.predicate.replace(':', chr(92) + ':')!r})")
    return options
