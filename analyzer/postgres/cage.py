"""EXPLAIN in a cage: one transaction that is always rolled back, the statement handed over as a bound value.

The text is never joined to other SQL on our side. A fixed block opens EXPLAIN as a cursor, which PostgreSQL refuses for
more than one statement, so that nothing in the text can end the transaction it runs in. Everything that a session could
keep (advisory locks, prepared statements, settings) is taken back inside the same transaction, so that a connection
pooler in transaction mode does no harm.
"""

import re
from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import cursor as Cursor

from ..errors import StatementError
from .conversation import Conversation
from .outcome import ConnectionLost, Locked, RecoveryConflict, TimedOut
from .server_message import server_message
from .target import Target

_BODY = """
DECLARE line record; plan text := '';
BEGIN
  PERFORM pg_catalog.set_config('queryproof.types', '', true);
  IF pg_catalog.length(pg_catalog.current_setting('queryproof.prepare')) OPERATOR(pg_catalog.>) 0 THEN
    EXECUTE 'PREPARE queryproof_statement AS ' OPERATOR(pg_catalog.||) pg_catalog.current_setting('queryproof.prepare');
    PERFORM pg_catalog.set_config('queryproof.types', parameter_types::pg_catalog.text, true)
      FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) 'queryproof_statement';
  END IF;
  IF pg_catalog.length(pg_catalog.current_setting('queryproof.sql')) OPERATOR(pg_catalog.>) 0 THEN
    FOR line IN EXECUTE pg_catalog.current_setting('queryproof.explain')
        OPERATOR(pg_catalog.||) pg_catalog.current_setting('queryproof.sql') LOOP
      plan := plan OPERATOR(pg_catalog.||) line."QUERY PLAN"::pg_catalog.text;
    END LOOP;
  END IF;
  IF pg_catalog.length(pg_catalog.current_setting('queryproof.prepare')) OPERATOR(pg_catalog.>) 0 THEN
    DEALLOCATE queryproof_statement;
  END IF;
  PERFORM pg_catalog.pg_advisory_unlock_all();
  PERFORM pg_catalog.set_config('queryproof.plan', plan, true);
EXCEPTION WHEN query_canceled OR OTHERS THEN
  PERFORM pg_catalog.pg_advisory_unlock_all();
  IF EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name OPERATOR(pg_catalog.=) 'queryproof_statement') THEN
    DEALLOCATE queryproof_statement;
  END IF;
  RAISE;
END
"""
_BLOCK = f"DO $cage$ {_BODY} $cage$"
# RESET ROLE brings a superuser's rights back at any time, except inside a function that runs with its owner's rights.
_LOWER = (
    f"CREATE FUNCTION pg_temp.queryproof_cage() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $cage$ {_BODY} $cage$",
    "ALTER FUNCTION pg_temp.queryproof_cage() OWNER TO pg_read_all_data",
    "SET TRANSACTION READ ONLY",
)
_LOWERED = "SELECT pg_temp.queryproof_cage()"

LOCK_TIMEOUT_MS = 500


def explain_in_cage(
    conversation: Conversation,
    sql: str,
    options: str,
    *,
    timeout_s: float,
    target: Target,
    prepare: str = "",
    plan_cache_mode: str = "",
    writes: bool = False,
    hidden: Sequence[str] = (),
) -> tuple[str, str]:
    """(plan as text in the format asked for, types of the prepared statement's parameters as PostgreSQL's array text).

    options: such as `ANALYZE, FORMAT JSON`. prepare: a statement with `$n` to be prepared as `queryproof_statement` before,
    so that `sql` can be an EXECUTE of it; with an empty `sql` only its types are asked for. writes: the transaction may
    write before it is rolled back. hidden: indexes, as SQL names, that the planner must not see: they are dropped in the
    transaction, so that others wait for their tables until it ends. Raises StatementError with SQLSTATE and the message freed of literals, and the errors of
    `outcome`.
    """
    settings = {
        "statement_timeout": f"{int(timeout_s * 1000)}",
        "lock_timeout": f"{LOCK_TIMEOUT_MS}",
        "idle_in_transaction_session_timeout": "5000",
        # The text must mean to the server what it meant to the guard.
        "standard_conforming_strings": "on",
        "backslash_quote": "safe_encoding",
        "search_path": target.search_path,
        "queryproof.explain": f"EXPLAIN ({options}) ",
        "queryproof.sql": sql,
        "queryproof.prepare": prepare,
        "queryproof.plan": "",
    }
    if conversation.connection.server_version >= 170000:
        # The one timeout that no exception handler in a function can eat.
        settings["transaction_timeout"] = f"{int((timeout_s + 1) * 1000)}"
    if target.checks_client:
        # A server whose client has died would else work on to the timeout.
        settings["client_connection_check_interval"] = "1000"
    if plan_cache_mode:
        settings["plan_cache_mode"] = plan_cache_mode
    lowered = target.lower

    def talk(cursor: Cursor) -> tuple[str, str]:
        try:
            cursor.execute("BEGIN READ WRITE" if writes or lowered or hidden else "BEGIN READ ONLY")
            if hidden:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; DROP INDEX {', '.join(hidden)}")
            if lowered:
                cursor.execute("; ".join(_LOWER))
            elif hidden and not writes:
                cursor.execute("SET TRANSACTION READ ONLY")
            names, values = list(settings), list(settings.values())
            cursor.execute(
                "SELECT pg_catalog.set_config(n, v, true) FROM ROWS FROM"
                " (pg_catalog.unnest(%s::pg_catalog.text[]), pg_catalog.unnest(%s::pg_catalog.text[])) AS s(n, v)",
                (names, values),
            )
            # That query was the transaction's first, so from here on nothing can make it READ WRITE.
            cursor.execute(_LOWERED if lowered else _BLOCK)
            cursor.execute(
                "SELECT pg_catalog.current_setting('queryproof.plan'), pg_catalog.current_setting('queryproof.types')"
            )
            row = cursor.fetchone()
            return (str(row[0]), str(row[1])) if row else ("", "")
        finally:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK")

    try:
        return conversation.run(talk, timeout_s)
    except psycopg2.Error as error:
        raise _told(error, conversation, timeout_s, target) from None


def _told(error: psycopg2.Error, conversation: Conversation, timeout_s: float, target: Target) -> StatementError:
    lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not error.pgcode
    if conversation.connection.closed or lost:
        if target.standby:
            # It says so to its log alone: inside a block that handles errors it cannot end the statement without the session.
            return ConnectionLost(
                "the connection to the standby was lost: it ends what holds up changes from the primary for longer than "
                "max_standby_streaming_delay"
            )
        return ConnectionLost("the connection to the server was lost")
    match error.pgcode:
        case "57014":
            return TimedOut(f"it did not end within {timeout_s:g} s")
        case "55P03":
            return Locked("a table it reads is locked by another session (55P03)")
        case "40001" | "57P04" if "recovery" in (error.diag.message_primary or ""):
            return RecoveryConflict("the standby cancelled it to apply changes from the primary (40001)")
    return StatementError(f"PostgreSQL says {error.pgcode}: {server_message(error)}{_remedy(error, target.lower)}")


def _remedy(error: psycopg2.Error, lowered: bool) -> str:
    match error.pgcode:
        case "42501" if lowered:
            return " (a superuser's rights are lowered to those of pg_read_all_data: name a role in --url that has this right)"
        case "42501":
            kind = re.search(
                r"for (function|procedure|aggregate|schema|sequence|type|foreign server)",
                error.diag.message_primary or "",
            )
            right = {
                None: "SELECT",
                "sequence": "SELECT",
                "function": "EXECUTE",
                "procedure": "EXECUTE",
                "aggregate": "EXECUTE",
            }
            return f" (GRANT the role of --url {right.get(kind[1] if kind else None, 'USAGE')} on it)"
        case "42P01":
            return " (dropped, temporary, or in a schema that the search_path of --url lacks)"
    return ""
