"""pg_dump of a source's schema that never makes its users wait."""

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from psycopg2.extensions import connection as Connection
from sqlalchemy.engine import URL, make_url

from ..errors import ServerError
from ..sql.identifier import quote_qualified
from .binaries import find_tool

LOCK_WAIT_MS = 1000
"""pg_dump gives up when a table's lock is not free within this time."""
POLL_S = 0.05
"""How often the source is asked whether anybody waits for a lock that pg_dump holds."""
TIMEOUT_S = 300.0

_WAITERS = """
SELECT w.pid FROM pg_catalog.pg_stat_activity d
JOIN pg_catalog.pg_locks k ON k.locktype = 'relation' AND NOT k.granted AND k.pid <> d.pid
JOIN pg_catalog.pg_stat_activity w ON w.pid = k.pid
WHERE d.application_name = %s AND d.pid = ANY(pg_catalog.pg_blocking_pids(k.pid)) LIMIT 1
"""
_CANCEL = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE application_name = %s AND usename = session_user
"""


class TableLocked(ServerError):
    """A table stayed locked while the source was read."""


def dump_schema(url: str, connection: Connection, excluded: Sequence[tuple[str, str]]) -> bytes:
    """The schema in pg_dump's custom format, without data, owners, grants, secrets of servers and subscriptions.

    connection: another one to the same server, which watches that nobody waits for pg_dump's locks (ACCESS SHARE, held for
    the length of the dump). excluded: tables that the role may not read, which pg_dump could not lock.
    Raises TableLocked when it finds a table locked for longer than a second; ServerError when it fails otherwise or keeps somebody
    waiting.
    """
    name = f"queryproof-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="queryproof-dump-") as place:
        target, listing = Path(place) / "schema.dump", Path(place) / "filter"
        listing.write_text("".join(f"exclude table {quote_qualified(*table)}\n" for table in excluded))
        command: list[Path | str] = [
            find_tool("pg_dump", connection.server_version // 10000), "--format=custom", "--schema-only", "--no-owner",
            "--no-privileges", "--no-comments", "--no-security-labels", "--no-publications", "--no-subscriptions",
            "--no-policies", "--no-tablespaces", "--no-toast-compression", "--no-table-access-method", "--no-password",
            f"--lock-wait-timeout={LOCK_WAIT_MS}", f"--filter={listing}", f"--file={target}", f"--dbname={_safe(url)}",
        ]  # fmt: skip
        if is_superuser(connection) and connection.server_version >= 140000:
            command.append("--role=pg_read_all_data")
        environment = os.environ | {"PGAPPNAME": name, "PGCONNECT_TIMEOUT": "10"}
        password = _password(url)
        if password is not None:
            environment["PGPASSWORD"] = password
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            said = _watch(process, connection, name)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()
        if process.returncode != 0:
            raise _failure(said.decode(errors="replace"))
        return target.read_bytes()


def _watch(process: "subprocess.Popen[bytes]", connection: Connection, name: str) -> bytes:
    """Wait for the end; end it at once when somebody queues behind it."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return process.communicate(timeout=POLL_S)[1]
        except subprocess.TimeoutExpired:
            pass
        with connection.cursor() as cursor:
            cursor.execute(_WAITERS, (name,))
            waiting = cursor.fetchone()
            if waiting is None and time.monotonic() < deadline:
                continue
            process.kill()
            cursor.execute(_CANCEL, (name,))
        if waiting is None:
            raise ServerError(f"pg_dump of the schema did not end within {TIMEOUT_S:.0f} s")
        raise ServerError(
            "another session was waiting for a lock that reading the schema holds, so reading was ended at once. "
            "Remedy: try again when no migration is running"
        )


def _failure(said: str) -> ServerError:
    lines = [line.removeprefix("pg_dump: ").removeprefix("error: ") for line in said.strip().splitlines()]
    cause = next((line for line in lines if "ERROR" in line or "FATAL" in line), lines[0] if lines else "no message")
    if "lock timeout" in said or "canceling statement due to" in said:
        return TableLocked(
            f"a table stayed locked for more than {LOCK_WAIT_MS / 1000:g} s while the schema was read: {cause}. "
            "Remedy: try again when no migration is running"
        )
    if "permission denied" in said:
        return ServerError(
            f"the schema cannot be read: {cause}. Remedy: GRANT pg_read_all_data TO the role, or name its tables"
        )
    return ServerError(f"pg_dump could not read the schema: {cause}")


def _safe(url: str) -> str:
    """The URL without its password: a command line can be read by every user of the machine."""
    parsed = _parsed(url)
    return url if parsed is None else parsed._replace(password=None).render_as_string(hide_password=False)


def _password(url: str) -> str | None:
    parsed = _parsed(url)
    return str(parsed.password) if parsed is not None and parsed.password is not None else None


def _parsed(url: str) -> URL | None:
    return make_url(url)._replace(drivername="postgresql") if "://" in url else None


def is_superuser(connection: Connection) -> bool:
    """Whether the session's role has all rights."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
        row = cursor.fetchone()
    return bool(row and row[0])
