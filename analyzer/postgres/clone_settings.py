"""The source's planner settings on a clone."""

import psycopg2
from psycopg2.extensions import connection as Connection

from ..sql.identifier import quote_identifier
from .clone_file import LeftOut, Manifest

# A clone's file could name a library to load, which only a superuser may; the planner's settings are everybody's.
_SET = "SELECT set_config(name, %s, false) FROM pg_settings WHERE lower(name) = lower(%s) AND context = 'user'"


def fill_settings(root: Connection, database: str, manifest: Manifest, role: str | None) -> list[LeftOut]:
    """Planner settings as defaults of the role `app` in that database: the source session's, then those of `role`."""
    wanted = dict(manifest.settings)
    for setting in manifest.role_settings:
        if role is not None and setting.role == role and setting.name in wanted:
            wanted[setting.name] = setting.value
    notes: list[LeftOut] = []
    with root.cursor() as cursor:
        for name, value in wanted.items():
            name = (
                {"force_parallel_mode": "debug_parallel_query"}.get(name, name)
                if root.server_version >= 160000
                else name
            )
            try:
                # A list such as search_path would be quoted as one name, so the server itself splits it.
                cursor.execute(_SET, (value, name))
                known = cursor.rowcount > 0
                if known:
                    cursor.execute(
                        f"ALTER ROLE app IN DATABASE {quote_identifier(database)} SET {quote_identifier(name)} FROM CURRENT"
                    )
            except psycopg2.Error:
                known = False
            if not known:
                reason = (
                    f"PostgreSQL {root.server_version // 10000} does not know it, or not as one that every role may set"
                )
                notes.append(LeftOut(f"setting {name}", reason))
            cursor.execute("RESET ALL")
    return notes
