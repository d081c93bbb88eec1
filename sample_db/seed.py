"""Rows for the sample application, made by the server from row numbers: the same every time."""

from typing import Literal

from sqlalchemy import text

from .core.database import sync_engine

Size = Literal["small", "medium", "large"]

ROWS: dict[Size, tuple[int, int, int]] = {
    "small": (200, 1_000, 30_000),
    "medium": (2_000, 12_000, 260_000),
    "large": (20_000, 100_000, 4_800_000),
}
"""Projects, users, tasks. Memberships: two a user, so that medium is about 300 thousand rows in all."""

WORDS = (
    "queue worker retries the upload after a timeout cache invalidation leaves stale entries login page renders twice "
    "report export misses rows search index lags behind webhook delivery fails on large payload scheduler drifts"
).split()
SESSIONS = 80
AUTHORS = 60

_SLOW_TO_FILL = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
UNION ALL
SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY 1
"""
"""What is checked or built faster once than row by row: how it is taken away, and how it is made again."""

_STATEMENTS = (
    """
    INSERT INTO users (id, github_id, github_login, avatar_url, created_at)
    SELECT md5('user' || n)::uuid::text, n, 'user-' || n, 'https://avatars.example/' || n || '.png',
           timestamptz '2024-01-01 00:00+00' + n * interval '1 minute'
    FROM generate_series(1, :users) n
    """,
    """
    INSERT INTO projects (id, path, name, created_at)
    SELECT md5('project' || n)::uuid::text, '/srv/projects/' || n, 'Project ' || n,
           timestamptz '2024-01-01 00:00+00' + n * interval '1 hour'
    FROM generate_series(1, :projects) n
    """,
    """
    INSERT INTO user_projects (id, user_id, project_id, role)
    SELECT md5('member' || n || '/' || k)::uuid::text, md5('user' || n)::uuid::text,
           md5('project' || (n * 7 + k * 13) % :projects + 1)::uuid::text, (ARRAY['owner', 'member', 'viewer'])[n % 3 + 1]
    FROM generate_series(1, :users) n, generate_series(0, 1) k
    """,
    """
    INSERT INTO task_refs (id, project_id, created_by, conversation_id, session_id, number, status, title, body, labels,
                           payload, score, estimate, due_at, created_at, updated_at)
    SELECT md5('task' || n)::uuid::text,
           md5('project' || h % :projects + 1)::uuid::text,
           CASE WHEN n % 20 = 0 THEN NULL ELSE md5('user' || h % :authors + 1)::uuid::text END,
           'conversation/' || md5('c' || n) || '/' || md5('d' || n) || '/' || md5('e' || n),
           'session-' || h % :sessions,
           n::int,
           CASE WHEN h % 200 = 0 THEN 'failed' WHEN h % 10 < 6 THEN 'open' ELSE 'done' END,
           'Task ' || n || ' ' || words[h % 30 + 1] || ' ' || words[h / 31 % 30 + 1]
               || CASE WHEN h % 2000 = 7 THEN ' zephyr-' || h % 5 ELSE '' END,
           words[h / 777 % 30 + 1] || ' build log'
               || CASE WHEN h % 2000 = 11 THEN ' quasar' ELSE '' END,
           ARRAY['area-' || h % 9, 'all'] || CASE WHEN h % 1500 = 3 THEN ARRAY['hotfix'] ELSE ARRAY[]::text[] END,
           jsonb_build_object('customer', 'customer-' || h % 3000, 'channel', (ARRAY['web', 'api', 'mail'])[h % 3 + 1],
                              'kind', 'task'),
           (h * 31 + n * 17) % 1000003,
           h % 40,
           timestamptz '2025-01-01 00:00+00' + (h % 500000) * interval '1 minute',
           timestamptz '2024-06-01 00:00+00' + ((n * 7919) % 500000) * interval '1 minute',
           timestamptz '2025-06-01 00:00+00'
    FROM (SELECT n::bigint AS n, abs(hashint4(n)::bigint) AS h, CAST(:words AS text[]) AS words FROM generate_series(1, :tasks) n) s
    """,
)


def seed(url: str, size: Size) -> None:
    """Fill a freshly migrated database and gather its statistics."""
    projects, users, tasks = ROWS[size]
    values = {"projects": projects, "users": users, "tasks": tasks, "sessions": SESSIONS, "authors": AUTHORS,
              "words": "{" + ",".join(WORDS[:30]) + "}"}  # fmt: skip
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            slow = connection.execute(text(_SLOW_TO_FILL)).all()
            for drop, _ in slow:
                connection.exec_driver_sql(drop)
            for statement in _STATEMENTS:
                names = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), names)
            for _, create in slow:
                connection.exec_driver_sql(create)
        engine.dispose()  # A session counts its changes at its end; counted after ANALYZE, they would make it look old.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE) users, projects, user_projects, task_refs"))
    finally:
        engine.dispose()
