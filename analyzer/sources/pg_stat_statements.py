"""What a server has really run, from pg_stat_statements: the difference of two snapshots, or all there is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import OutputError, SourceError
from ..postgres.connect import OURS
from ..postgres.server_message import server_message
from ..sql.fingerprint import fingerprint, normalize
from ..sql.tokens import Token, significant
from ..workload import ParameterSample, QueryGroup, Skipped, Source, Workload
from .grouping import is_control, ranked

FORMAT_VERSION = 1
_BEFORE_RELATION = frozenset(("from", "join", "only", "lateral"))
_SESSION = frozenset(
    (
        "as current_schema current_schemas current_database current_catalog current_user session_user user version "
        "current_setting set_config pg_backend_pid pg_is_in_recovery true false null text int integer varchar"
    ).split()
)
_CATALOGS = ("pg_catalog", "information_schema", "pg_stat_statements")
_UTILITIES = frozenset(
    (
        "explain create alter drop vacuum analyze reindex cluster refresh grant revoke copy comment truncate lock do call "
        "prepare execute declare fetch close listen notify unlisten checkpoint load security import"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Counters of one statement. key: user, database, top level, query id, which is the extension's own identity."""

    key: str
    text: str
    calls: int
    total_ms: float
    max_ms: float
    rows: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All entries of the current database at one moment. taken_at: seconds since the epoch, the server's clock.

    reset_at and evicted: when counters were last reset and how often entries were thrown out (PostgreSQL 14 and later).
    hidden: entries whose text the role may not read.
    """

    version: int
    taken_at: float
    reset_at: float | None
    evicted: int | None
    hidden: int
    entries: tuple[Entry, ...]


def snapshot(connection: Connection) -> Snapshot:
    """Read the counters. Columns are detected, since the extension may be older than the server.

    Raises SourceError when the extension is missing or cannot be read, with the remedy.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
                "WHERE e.extname = 'pg_stat_statements'"
            )
            row = cursor.fetchone()
            if row is None:
                raise SourceError(
                    "the extension pg_stat_statements is not installed in this database. Remedy: put it into "
                    "shared_preload_libraries, restart the server, and run CREATE EXTENSION pg_stat_statements"
                )
            view = '"' + row[0].replace('"', '""') + '".pg_stat_statements'
            cursor.execute(
                "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0",
                (view,),
            )
            columns = {name for (name,) in cursor.fetchall()}
            total, longest = (
                ("total_exec_time", "max_exec_time") if "total_exec_time" in columns else ("total_time", "max_time")
            )
            top = "toplevel" if "toplevel" in columns else "true"
            cursor.execute(
                f"SELECT userid::text || '/' || dbid::text || '/' || ({top})::text || '/' || queryid::text, query, calls, "  # noqa: S608 - names of ours
                f"{total}, {longest}, rows FROM {view} "
                "WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
            )
            found = cursor.fetchall()
            reset, evicted = None, None
            cursor.execute("SELECT pg_catalog.to_regclass(%s)", (view + "_info",))
            if cursor.fetchone() != (None,):
                cursor.execute(f"SELECT extract(epoch FROM stats_reset), dealloc FROM {view}_info")  # noqa: S608 - a name of ours
                reset, evicted = cursor.fetchone() or (None, None)
            cursor.execute("SELECT extract(epoch FROM pg_catalog.clock_timestamp())")
            (now,) = cursor.fetchone() or (time.time(),)
    except psycopg2.Error as error:
        raise SourceError(f"pg_stat_statements cannot be read ({error.pgcode}): {server_message(error)}") from None
    visible = [
        row for row in found if row[0] is not None and row[1] is not None and row[1] != "<insufficient privilege>"
    ]
    return Snapshot(
        FORMAT_VERSION,
        float(now),
        float(reset) if reset is not None else None,
        int(evicted) if evicted is not None else None,
        len(found) - len(visible),
        tuple(
            sorted(
                (Entry(str(k), q, int(c), float(t), float(m), int(r)) for k, q, c, t, m, r in visible),
                key=lambda e: e.key,
            )
        ),
    )


def workload_between(before: Snapshot | None, after: Snapshot) -> Workload:
    """The statements of the interval as a workload; what makes the figures incomplete stands in the source's notes."""
    notes: list[str] = []
    earlier = {entry.key: entry for entry in before.entries} if before is not None else {}
    if before is None:
        notes.append("counted since the server's counters were last reset")
    elif before.reset_at != after.reset_at:
        notes.append("the counters were reset during the interval: only what came after the reset is counted")
        earlier = {}
    if before is not None and before.evicted != after.evicted:
        notes.append("entries were evicted during the interval, so totals are incomplete: raise pg_stat_statements.max")
    if after.hidden:
        notes.append(
            f"{after.hidden} entries of other roles were not readable. Remedy: GRANT pg_read_all_stats TO the role of --url"
        )
    if before is not None and before.hidden > after.hidden:
        notes.append(
            f"the snapshot was taken by a role that could not read {before.hidden} entries: what those had counted by then is "
            "counted here, too. Remedy: take it with the role of --url"
        )
    groups: dict[str, QueryGroup] = {}
    left_out = 0
    for entry in after.entries:
        known = earlier.get(entry.key)
        restarted = known is not None and known.calls > entry.calls
        calls = entry.calls - (known.calls if known and not restarted else 0)
        if calls <= 0:
            continue
        if not _is_application(entry.text):
            left_out += 1
            continue
        total = entry.total_ms - (known.total_ms if known and not restarted else 0.0)
        rows = entry.rows - (known.rows if known and not restarted else 0)
        key = fingerprint(entry.text)
        groups[key] = _added(groups.get(key), key, entry, calls, max(total, 0.0), rows, exact=known is None)
    calls = sum(group.calls for group in groups.values())
    total_ms = sum(group.total_ms or 0.0 for group in groups.values())
    skipped = (
        (Skipped(f"{left_out} entries of pg_stat_statements", "catalog queries, utility statements and our own"),)
        if left_out
        else ()
    )
    source = Source("pg_stat_statements", "pg_stat_statements", calls, total_ms, tuple(notes))
    return Workload(
        ranked(groups.values()), (), (source,), skipped, before.taken_at if before else after.reset_at, after.taken_at
    )


def write_snapshot(taken: Snapshot, file: Path) -> None:
    """Save a snapshot. Raises OutputError."""
    try:
        file.write_bytes(msgspec.json.encode(taken))
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror}") from None


def read_snapshot(file: Path) -> Snapshot:
    """Load a saved snapshot. Raises SourceError when it is none, or of a newer format."""
    try:
        taken = msgspec.json.decode(file.read_bytes(), type=Snapshot)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeError):
        raise SourceError(f"{file} is no snapshot: make one with `queryproof snapshot FILE --url URL`") from None
    if taken.version > FORMAT_VERSION:
        raise SourceError(f"{file} was written by a newer queryproof: upgrade it")
    return taken


def _is_application(text: str) -> bool:
    if is_control(text):
        return False
    if OURS in text:
        return False
    tokens = significant(text)
    if tokens[0].word in _UTILITIES or _only_asks_the_session(tokens):
        return False
    return not any(
        token.word in _CATALOGS
        or token.word.startswith(("pg_stat", "hypopg_"))
        or (token.word.startswith("pg_") and before.word in _BEFORE_RELATION)
        for before, token in pairwise([tokens[0], *tokens])
    )


def _only_asks_the_session(tokens: Sequence[Token]) -> bool:
    """`SELECT 1`, by which pools try a connection, and questions that drivers ask on every new one."""
    if tokens[0].word != "select":
        return False
    words = [token.word for token in tokens[1:] if token.word]
    return not any(token.kind == "quoted" for token in tokens) and all(word in _SESSION for word in words)


def _added(
    known: QueryGroup | None, key: str, entry: Entry, calls: int, total: float, rows: int, *, exact: bool
) -> QueryGroup:
    calls += known.calls if known else 0
    total += known.total_ms or 0.0 if known else 0.0
    rows += known.rows or 0 if known else 0
    longest = max(entry.max_ms, (known.max_ms or 0.0) if known else 0.0) if exact else None
    sample = ParameterSample(entry.text, None, None, "pg_stat_statements keeps no values")
    return QueryGroup(
        fingerprint=key,
        text=normalize(entry.text),
        calls=calls,
        total_ms=total,
        mean_ms=total / calls,
        p50_ms=None,
        p95_ms=None,
        max_ms=longest,
        rows=rows,
        errors=0,
        call_sites=(),
        samples=(sample,),
        sources=("pg_stat_statements",),
    )
