"""Reads from a database all that its planner knows: schema, statistics, sizes, settings. Nothing is written or locked."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError
from .clone_dump import LOCK_WAIT_MS, TableLocked, dump_schema, is_superuser
from .clone_file import (
    FORMAT,
    SENSITIVE,
    WITHOUT_VALUES,
    CloneFile,
    Collation,
    Extension,
    ExtensionFunction,
    ForeignPart,
    LeftOut,
    Locale,
    Manifest,
    Relation,
    RoleSetting,
    Statistics,
)
from .clone_levels import read_levels
from .clone_ranges import repair_ranges
from .clone_source_queries import (
    COLLATIONS,
    COUNTED,
    EXTENSION_FUNCTIONS,
    EXTENSIONS,
    FOREIGN_PARTS,
    INVALID_INDEXES,
    LOCALE,
    RELATIONS,
    ROLE_SETTINGS,
    ROW_SECURITY,
    SERVER,
    TABLESPACES,
    UNREADABLE,
)
from .clone_statistics import fault, read_column_statistics, read_extended_statistics
from .connect import connect
from .locked_relations import LockedRelation, locked_relations
from .server_message import server_message

NEWEST_MAJOR = 18
OLDEST_MAJOR = 13
PAGE_BYTES = 8192
QUERY_TIMEOUT_MS = 60_000
_INVALID = (
    "it is invalid, as a build that was ended leaves it: no query uses it, and writes may still keep it up to date. DROP INDEX "
    "CONCURRENTLY it, or REINDEX INDEX CONCURRENTLY"
)
TRIES = 3
"""How often a source is read that meets a lock taken on the way."""

# PostgreSQL 13 and 14 cannot say which settings EXPLAIN (SETTINGS) would print: these are they, as 15 knows them.
_EXPLAIN_SETTINGS = """
constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction default_statistics_target
effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan enable_gathermerge enable_hashagg
enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize
enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
enable_partitionwise_aggregate enable_partitionwise_join enable_seqscan enable_sort enable_tidscan force_parallel_mode
from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold
hash_mem_multiplier jit jit_above_cost jit_inline_above_cost jit_optimize_above_cost join_collapse_limit
logical_decoding_work_mem maintenance_io_concurrency max_parallel_workers max_parallel_workers_per_gather
min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost
parallel_tuple_cost plan_cache_mode random_page_cost search_path seq_page_cost temp_buffers work_mem
""".split()
_MEANING_SETTINGS = (
    "DateStyle IntervalStyle TimeZone default_text_search_config array_nulls transform_null_equals".split()
)
"""Not the planner's, but they decide what a literal or to_tsvector() means."""

_READING = {
    "default_transaction_read_only": "on", "statement_timeout": str(QUERY_TIMEOUT_MS), "lock_timeout": str(LOCK_WAIT_MS),
    "idle_in_transaction_session_timeout": "10000", "search_path": "pg_catalog", "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres", "extra_float_digits": "1", "bytea_output": "hex", "jit": "off",
}  # fmt: skip


def read_source(
    url: str, *, values: bool = True, min_max: bool = True, role: str | None = None, made_at: datetime | None = None
) -> CloneFile:
    """Everything that a hollow clone needs, over two connections (pg_dump's and ours).

    values False: no value of the data is taken along. min_max: read the ends of indexed columns, as the source's planner
    would, where their histograms may be out of date (through the index, each within 0.1 s, together within a few seconds). role: of the application, whose planner settings
    (ALTER ROLE … SET) count; None for those of this login.
    Raises ServerError when the server is too old or new, rights are missing, or somebody would have to wait for us.
    """
    left = TRIES
    while True:
        try:
            return _read_once(url, values=values, min_max=min_max and values, role=role, made_at=made_at)
        except TableLocked:
            # It was locked after the look at what is: the next look leaves it out.
            left -= 1
            if not left:
                raise


def _read_once(url: str, *, values: bool, min_max: bool, role: str | None, made_at: datetime | None) -> CloneFile:
    connection = connect(url)
    try:
        return _read(url, connection, values=values, min_max=min_max, role=role, made_at=made_at or datetime.now(UTC))
    except psycopg2.Error as error:
        if connection.closed:
            raise ServerError("the connection to the source was lost while it was read") from None
        if error.pgcode == "55P03":
            raise TableLocked(
                "a table stayed locked for more than a second while its size was read. "
                "Remedy: try again when no migration is running"
            ) from None
        raise ServerError(f"the source cannot be read ({error.pgcode}): {server_message(error)}") from None
    finally:
        connection.close()


def _read(
    url: str, connection: Connection, *, values: bool, min_max: bool, role: str | None, made_at: datetime
) -> CloneFile:
    version = connection.server_version
    _check_version(version)
    settings = _settings(connection)
    with connection.cursor() as cursor:
        if is_superuser(connection) and version >= 140000:
            # Planning may run the schema's functions: with the rights of a reader, not with all.
            cursor.execute("SET ROLE pg_read_all_data")
        for name, value in _READING.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
    if role is not None and not _rows(connection, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", role):
        raise ServerError(f"the source has no role {role}")
    ((database, login, text, block_size),) = _rows(connection, SERVER)
    if block_size != PAGE_BYTES:
        raise ServerError(f"the source was built with pages of {block_size} bytes; only {PAGE_BYTES} are supported")
    unreadable = [(str(schema), str(name)) for schema, name in _rows(connection, UNREADABLE)]
    locked = locked_relations(connection, LOCK_WAIT_MS / 1000)
    hidden = {*unreadable, *((one.schema, one.name) for one in locked)}
    schema = dump_schema(url, connection, sorted(hidden))
    left_out = [LeftOut(f"table {one}.{two}", "the role may not read it") for one, two in unreadable]
    left_out += [_kept_locked(one) for one in locked if (one.schema, one.name) not in unreadable]
    left_out += [
        LeftOut(f"index {one}.{two} on {three}", _INVALID) for one, two, three in _rows(connection, INVALID_INDEXES)
    ]
    left_out += _inexact(connection)
    columns = [
        one for one in read_column_statistics(connection, values=values) if (one.schema, one.relation) not in hidden
    ]
    if min_max:
        columns = repair_ranges(connection, columns)
    left_out += [LeftOut(_column_name(one), reason) for one in columns if (reason := _rejected(fault(one)))]
    columns = [one for one in columns if fault(one) is None]
    extended = read_extended_statistics(connection, values=values)
    if extended is None:
        left_out.append(LeftOut("extended statistics", "the role may not read them: GRANT pg_read_all_data TO it"))
    ((days,),) = _rows(connection, COUNTED)
    manifest = Manifest(
        format=FORMAT,
        notice=SENSITIVE if values else WITHOUT_VALUES,
        values=values,
        made_at=made_at.astimezone(UTC).isoformat(timespec="seconds"),
        server_version=version,
        version=text.split()[0],
        database=database,
        role=login,
        locale=_locale(connection),
        settings=settings,
        role_settings=_role_settings(connection),
        settings_role=role,
        extensions=tuple(Extension(*row) for row in _rows(connection, EXTENSIONS)),
        extension_functions=tuple(ExtensionFunction(*row) for row in _rows(connection, EXTENSION_FUNCTIONS)),
        collations=_collations(connection),
        relations=tuple(_relations(connection, hidden)),
        left_out=tuple(left_out),
        counted_days=float(days) if days is not None else None,
        foreign_parts=tuple(ForeignPart(*row) for row in _rows(connection, FOREIGN_PARTS)),
        secured=tuple((str(one), str(two)) for one, two in _rows(connection, ROW_SECURITY)),
    )
    return CloneFile(manifest, Statistics(tuple(columns), tuple(extended or ())), schema)


def _check_version(version: int) -> None:
    if version // 10000 > NEWEST_MAJOR:
        raise ServerError(
            f"the source is PostgreSQL {version // 10000}, and this queryproof knows servers up to {NEWEST_MAJOR}: update it"
        )
    if version // 10000 < OLDEST_MAJOR:
        raise ServerError(
            f"the source is PostgreSQL {version // 10000}; {OLDEST_MAJOR} is the oldest that is supported"
        )


def _settings(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Each setting that EXPLAIN (SETTINGS) would print when it is not the default, as it is in this session."""
    names = "SELECT name FROM pg_catalog.pg_settings WHERE "
    if connection.server_version >= 150000:
        names += "'EXPLAIN' = ANY(pg_catalog.pg_settings_get_flags(name)) OR name = ANY(%s)"
        wanted = _MEANING_SETTINGS
    else:
        names += "name = ANY(%s)"
        wanted = [*_EXPLAIN_SETTINGS, *_MEANING_SETTINGS]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, pg_catalog.current_setting(name) FROM ({names}) n ORDER BY 1", (wanted,))  # noqa: S608 - a constant
        return tuple((str(name), str(value)) for name, value in cursor.fetchall())


def _role_settings(connection: Connection) -> tuple[RoleSetting, ...]:
    return tuple(
        RoleSetting(role, database, *setting.split("=", 1))
        for role, database, config in _rows(connection, ROLE_SETTINGS)
        for setting in config
    )


def _locale(connection: Connection) -> Locale:
    version = connection.server_version
    provider = "datlocprovider::text" if version >= 150000 else "'c'"
    locale = "datlocale" if version >= 170000 else "daticulocale" if version >= 150000 else "NULL"
    ((encoding, kind, collate, ctype, name),) = _rows(connection, LOCALE.format(provider=provider, locale=locale))
    # Only these order text by its bytes, so that an index of the default operator class serves LIKE 'x%'.
    c = kind == "b" or (kind == "c" and collate in ("C", "POSIX"))
    return Locale(encoding, kind, collate, ctype, name, c)


def _collations(connection: Connection) -> tuple[Collation, ...]:
    return tuple(Collation(*row) for row in _rows(connection, COLLATIONS.format(deterministic="l.collisdeterministic")))


def _relations(connection: Connection, hidden: Collection[tuple[str, str]]) -> list[Relation]:
    """All but the hidden ones, of which not even the size can be asked while they are locked."""
    rows = _rows(connection, RELATIONS, [schema for schema, _ in hidden], [name for _, name in hidden])
    levels = read_levels(connection, {row[9]: row[8] for row in rows if row[3] == "btree" and row[2] == "i"})
    return [
        Relation(
            schema, name, kind, method, table, pages, tuples, visible, blocks, levels.get(oid),
            inserted, updated, hot, deleted, scans,
        )
        for schema, name, kind, method, table, pages, tuples, visible, blocks, oid, inserted, updated, hot, deleted, scans
        in rows
    ]  # fmt: skip


def _inexact(connection: Connection) -> list[LeftOut]:
    notes = [
        LeftOut(f"tablespace {name}", f"its own page costs {options} are not copied: plans of its tables may differ")
        for name, options in _rows(connection, TABLESPACES)
    ]
    secured = [f"{schema}.{name}" for schema, name in _rows(connection, ROW_SECURITY)]
    if secured:
        notes.append(
            LeftOut("row security policies", f"plans are the owner's, without them: {', '.join(secured[:20])}")
        )
    return notes


def _kept_locked(one: LockedRelation) -> LeftOut:
    what = f"{'view' if one.view else 'table'} {one.schema}.{one.name}"
    if not one.held:
        related = "a table that it reads" if one.view else "a table of the same partitions or heirs"
        return LeftOut(what, f"{related} is locked by another session")
    return LeftOut(
        what, "it is locked by another session, a migration perhaps, and was not waited for. Remedy: try again later"
    )


def _column_name(column: Any) -> str:
    return f"statistics of {column.schema}.{column.relation}.{column.column}"


def _rejected(reason: str | None) -> str | None:
    return f"rejected: {reason}; plans that depend on them are inexact" if reason else None


def _rows(connection: Connection, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
