"""The server and the role that statements are explained with, and whether that may be done at all."""

import contextlib
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError

FULL = 0.8
"""Share of max_connections in use above which we stay away: the rest belongs to the application."""

_DANGEROUS = ("pg_execute_server_program", "pg_write_server_files")
_FACTS = """
SELECT current_user::pg_catalog.text,
       pg_catalog.current_setting('search_path'),
       pg_catalog.pg_is_in_recovery(),
       (SELECT pg_catalog.bool_or(r.rolsuper) FROM pg_catalog.pg_roles r
        WHERE r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[current_user, session_user]::pg_catalog.name[])),
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) session_user),
       ARRAY(SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
             WHERE (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[]))
               AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
             ORDER BY r.rolname),
       (SELECT pg_catalog.sum(d.numbackends) FROM pg_catalog.pg_stat_database d)::pg_catalog.float8,
       pg_catalog.current_setting('max_connections')::pg_catalog.float8,
       current_user OPERATOR(pg_catalog.=) session_user
"""
_OLD_REMEDY = (
    "Remedy: CREATE ROLE queryproof LOGIN PASSWORD '…' IN ROLE pg_monitor; "
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO queryproof; and use it in --url"
)
"""Before PostgreSQL 14, which brought pg_read_all_data."""
_REMEDY = "Remedy: CREATE ROLE queryproof LOGIN PASSWORD '…' IN ROLE pg_read_all_data, pg_monitor; and use it in --url"


@dataclass(frozen=True, slots=True)
class Target:
    """lower: the role is a superuser, whose rights are lowered to pg_read_all_data's before each statement.

    search_path: of the role, as it stands; statements are explained with it. standby: the server is in recovery.
    checks_client: it can notice that its client has died.
    """

    role: str
    search_path: str
    standby: bool
    lower: bool
    checks_client: bool

    def __str__(self) -> str:
        standby = " on a standby" if self.standby else ""
        return f"role {self.role}{standby}, search_path {self.search_path}"


def read_target(connection: Connection, *, allow_superuser: bool) -> Target:
    """What is at the other end. Raises ServerError when nothing may be explained there: too few connections left, or a role
    with rights that functions marked IMMUTABLE would run with even under plain EXPLAIN."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, (list(_DANGEROUS),))
        row = cursor.fetchone()
    if row is None:
        raise ServerError("the server does not tell who we are")
    role, search_path, standby, superuser, session_superuser, granted, used, most, own = row
    if used >= most * FULL:
        raise ServerError(
            f"{used:.0f} of {most:.0f} connections are in use, and queryproof leaves the last fifth to the application. "
            "Remedy: try again later, or raise max_connections"
        )
    if superuser or granted:
        why = "is a superuser" if superuser else f"is a member of {granted[0]}"
        if connection.server_version < 140000:
            raise ServerError(
                f"this role {why}, explaining a statement runs functions with its rights, and before PostgreSQL 14 these cannot "
                f"be lowered. {_OLD_REMEDY}"
            )
        if not allow_superuser:
            raise ServerError(
                f"this role {why}, and explaining a statement runs functions with its rights. {_REMEDY}; "
                "or add --allow-superuser"
            )
        if not session_superuser or not own:
            # A role that SET ROLE has taken is given back by any function, and may not hand its own function to another.
            raise ServerError(f"this role {why}, and its rights cannot be lowered. {_REMEDY}")
        if standby:
            raise ServerError(f"on a standby a superuser's rights cannot be lowered. {_REMEDY}")
    return Target(role, search_path, bool(standby), bool(superuser or granted), _checks_client(connection))


def _checks_client(connection: Connection) -> bool:
    """PostgreSQL 14 and later can, on most systems; where it cannot, the setting is refused."""
    if connection.server_version < 140000:
        return False
    with connection.cursor() as cursor:
        try:
            cursor.execute("BEGIN READ ONLY; SET LOCAL client_connection_check_interval = '1s'")
        except psycopg2.Error:
            return False
        finally:
            with contextlib.suppress(psycopg2.Error):
                cursor.execute("ROLLBACK")
    return True
