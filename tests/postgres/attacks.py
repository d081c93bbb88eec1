"""Texts that try to write, to act or to stay when they are explained, made systematically from families."""

import itertools
from dataclasses import dataclass

from sqlalchemy import Integer, String, bindparam, column, select, table
from sqlalchemy.dialects.postgresql import asyncpg, pg8000, psycopg, psycopg2

HOSTILE_SETUP = """
CREATE TABLE accounts (id int PRIMARY KEY, email text NOT NULL, balance numeric, note text);
INSERT INTO accounts SELECT g, 'user' || g || '@example.org', g, 'x' FROM generate_series(1, 60) g;
CREATE TABLE entries (id serial PRIMARY KEY, account_id int REFERENCES accounts ON DELETE CASCADE);
INSERT INTO entries (account_id) SELECT g FROM generate_series(1, 60) g;
CREATE TABLE victims (pid int);
CREATE TABLE audited (id int); CREATE TABLE audit (id int);
CREATE FUNCTION spend() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION spend_sql() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM accounts RETURNING id';
CREATE FUNCTION liar() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION stable_liar() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM spend(); RETURN 1; END $$;
CREATE FUNCTION deep_liar() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN liar() + stable_liar(); END $$;
CREATE FUNCTION locker() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN 1; END $$;
CREATE FUNCTION killer() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_terminate_backend(pid) FROM victims; RETURN 1; END $$;
CREATE FUNCTION quiet_killer() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN EXECUTE 'SELECT pg_' || 'terminate_backend(pid) FROM victims'; RETURN 1; END $$;
CREATE FUNCTION emitter() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_logical_emit_message(false, 'evil', 'x'); RETURN 1; END $$;
CREATE FUNCTION runner() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch FILE'; RETURN 1; END $$;
CREATE FUNCTION climber() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('role', 'none', false), set_config('session_authorization', 'default', false);
  CREATE TABLE stolen (a int); RETURN 1; END $$;
CREATE FUNCTION opener() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION setter() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION stepper() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('search_path', 'evil', false), set_config('work_mem', '77MB', false); RETURN 1; END $$;
CREATE FUNCTION notifier() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_notify('canary', 'x'); RETURN 1; END $$;
CREATE FUNCTION blobber() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM lo_create(0); RETURN 1; END $$;
CREATE FUNCTION preparer() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PREPARE stays AS SELECT 1; RETURN 1; END $$;
CREATE FUNCTION plan_forger() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('queryproof.sql', 'DELETE FROM accounts', false),
  set_config('queryproof.explain', 'EXPLAIN ANALYZE ', false); RETURN 1; END $$;
CREATE FUNCTION spend_of(accounts) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM entries; RETURN 1; END $$;
CREATE FUNCTION spend_with(int, int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN DELETE FROM accounts; RETURN true; END $$;
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = spend_with);
CREATE FUNCTION add_up(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM accounts; RETURN $1; END $$;
CREATE AGGREGATE spend_all(int) (SFUNC = add_up, STYPE = int, INITCOND = '0');
CREATE TYPE coin AS (worth int);
CREATE FUNCTION coin_of(int) RETURNS coin LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN DELETE FROM accounts; RETURN ROW(1)::coin; END $$;
CREATE CAST (int AS coin) WITH FUNCTION coin_of(int);
CREATE FUNCTION checked(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN DELETE FROM accounts; RETURN true; END $$;
CREATE DOMAIN guarded AS int CHECK (checked(VALUE));
CREATE FUNCTION checked_loudly(int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_terminate_backend(pid) FROM victims; RETURN true; END $$;
CREATE DOMAIN loud AS int CHECK (checked_loudly(VALUE));
CREATE TYPE loud_pair AS (a int, b loud);
CREATE VIEW spending AS SELECT spend() AS x;
CREATE VIEW spending_deeper AS SELECT * FROM spending;
CREATE VIEW locking AS SELECT pg_advisory_lock(4712)::text AS x;
CREATE VIEW killing AS SELECT pg_terminate_backend(pid) FROM victims;
CREATE TABLE ruled (id int);
CREATE FUNCTION policed() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM accounts; RETURN true; END $$;
CREATE TABLE secured (id int); INSERT INTO secured VALUES (1);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY; ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY one ON secured USING (policed());
CREATE FUNCTION on_audit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO audit VALUES (1); PERFORM pg_notify('canary', 'x'); RETURN NEW; END $$;
CREATE TRIGGER audit BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION on_audit();
CREATE FUNCTION on_ruled() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE 'SELECT pg_advisory_lock(4713)'; PERFORM pg_terminate_backend(pid) FROM victims; RETURN NEW; END $$;
CREATE TRIGGER ruled BEFORE INSERT ON ruled FOR EACH ROW EXECUTE FUNCTION on_ruled();
CREATE PROCEDURE purge() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM accounts; COMMIT; END $$;
CREATE MATERIALIZED VIEW frozen AS SELECT count(*) FROM accounts;
ANALYZE;
"""
HOSTILE_EXTRAS = """
CREATE FUNCTION admin_purge() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS
  $$ BEGIN DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION admin_liar() RETURNS int LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
  $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch FILE'; RETURN 1; END $$;
"""
"""Made by the superuser, who has lent rights."""
HIJACK = """
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN DELETE FROM accounts; RETURN $1; END $$;
CREATE FUNCTION public.length(text) RETURNS int LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_advisory_lock(4714); RETURN 1; END $$;
CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_advisory_lock(4715); RETURN 'DELETE FROM accounts'; END $$;
CREATE FUNCTION public.join_texts(text, text) RETURNS text LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_advisory_lock(4716); RETURN $1; END $$;
CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = public.join_texts);
CREATE FUNCTION public.same_name(name, name) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_advisory_lock(4717); RETURN false; END $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same_name);
CREATE FUNCTION public.same_oid(oid, oid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
  $$ BEGIN PERFORM pg_advisory_lock(4718); RETURN false; END $$;
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.same_oid);
"""
"""Functions and operators that stand before PostgreSQL's own when `public` comes first in the search_path."""

_WRITES = (
    "DELETE FROM accounts", "INSERT INTO accounts VALUES (0, 'x', 0, '')", "UPDATE accounts SET balance = 0",
    "TRUNCATE accounts CASCADE", "DROP TABLE accounts CASCADE", "CREATE TABLE stolen (a int)",
    "CREATE TABLE stolen AS SELECT * FROM accounts", "SELECT * INTO stolen FROM accounts",
    "ALTER TABLE accounts ADD stolen int", "GRANT ALL ON accounts TO PUBLIC", "COPY accounts TO PROGRAM 'touch FILE'",
    "COPY (SELECT 1) TO 'FILE'", "DO $$ BEGIN DELETE FROM accounts; END $$", "SELECT spend()", "CALL purge()",
    "NOTIFY canary", "COMMENT ON TABLE accounts IS 'x'", "CREATE ROLE evil SUPERUSER", "SELECT pg_advisory_lock(1)",
    "REFRESH MATERIALIZED VIEW frozen", "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE",
)  # fmt: skip
_WRAPPINGS = (
    "{}", "SELECT 1; {}", "{}; SELECT 1", "SELECT 1; COMMIT; {}", "SELECT 1; COMMIT; BEGIN READ WRITE; {}; COMMIT",
    "COMMIT; {}", "ROLLBACK; {}", "END; {}", "ABORT; {}; BEGIN", "SET TRANSACTION READ WRITE; {}",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; {}", "SET transaction_read_only = off; {}",
    "SELECT 1 /* ; */; {} --", "SELECT '\\'; {}; --'", "SELECT E'\\'; {}; --'", "SELECT E'\\\\'; {}; --'",
    "SELECT $a$ $a$; {}; SELECT $b$ $b$", "SELECT $cage$ $cage$; {}", "SELECT U&'\\0027'; {}; --'",
    "SELECT U&'!0027' UESCAPE '!'; {}", "SELECT 1\x00; {}", "EXPLAIN ANALYZE {}", "EXPLAIN (ANALYZE, FORMAT JSON) {}",
    "PREPARE x AS {}", ") {}", "(ANALYZE) {}", "ANALYZE {}", "/* /* */ */ {}", "-- x\n{}", "-- x\r{}", "SELECT 1;\r{}",
    "SELECT 1\u2028; {}", "{};;;", ";{}", "SELECT $$;$$; {}", "/* /* */ {} -- */", "SELECT 1;--\n{}",
    "DECLARE c CURSOR FOR SELECT 1; {}", "DECLARE c CURSOR WITH HOLD FOR {}", "SAVEPOINT a; {}; RELEASE a",
    "PREPARE TRANSACTION 'x'; {}", "SELECT 1 \\; {}", "SELECT 'a' 'b'\n'c'; {}", "SELECT \"a\"\";\"; {}",
    "BEGIN ATOMIC {}; END", "SELECT 1\\gexec {}", "RESET ROLE; {}", "RESET SESSION AUTHORIZATION; {}", "DISCARD ALL; {}",
    "SELECT 1 FROM accounts; {}; SELECT 2", "VALUES (1); {}", "TABLE accounts; {}", "SELECT B'1'; {}", "SELECT X'1f'; {}",
    "SELECT N'n'; {}", "$cage$; {}; $cage$", "END $cage$; {}", "'; {}; --", "\"; {}; --", "*/ {}",
)  # fmt: skip
_CALLS = (
    "spend()", "public.spend()", '"spend"()', "spend /* */ ()", "spend_sql()", "liar()", "stable_liar()", "deep_liar()",
    "locker()", "killer()", "quiet_killer()", "emitter()", "runner()", "climber()", "opener()", "setter()", "stepper()",
    "notifier()", "blobber()", "preparer()", "plan_forger()", "admin_purge()", "admin_liar()",
    "nextval('entries_id_seq')::int", "setval('entries_id_seq', 99)::int", "lo_create(0)::int", "lo_unlink(1)",
    "lo_import('/etc/passwd')::int", "lo_export(1, 'FILE')", "length(pg_read_file('/etc/passwd'))",
    "length(pg_ls_dir('/')::text)", "(SELECT 1 FROM pg_advisory_lock(2))", "pg_try_advisory_lock(3)::int",
    "pg_advisory_lock_shared(5)::text::int", "pg_try_advisory_xact_lock(6)::int",
    "(SELECT count(pg_terminate_backend(pid))::int FROM victims)", "(SELECT count(pg_cancel_backend(pid))::int FROM victims)",
    "pg_reload_conf()::int", "pg_rotate_logfile()::int", "length(pg_stat_reset()::text)", "length(pg_switch_wal()::text)",
    "length(pg_logical_emit_message(false, 'a', 'b')::text)", "length(pg_notify('canary', 'x')::text)",
    "length(set_config('transaction_read_only', 'off', false))", "length(set_config('role', 'none', false))",
    "length(set_config('session_authorization', 'postgres', false))", "length(set_config('work_mem', '77MB', false))",
    "length(set_config('queryproof.sql', 'DELETE FROM accounts', false))",
    "length(query_to_xml('DELETE FROM accounts', true, true, '')::text)",
    "length(database_to_xml(true, true, '')::text)", "length(schema_to_xml('public', true, true, '')::text)",
    "length(table_to_xml('killing', true, true, '')::text)", "length(database_to_xml_and_xmlschema(true, true, '')::text)", "length(pg_create_restore_point('x')::text)",
    "length(pg_create_physical_replication_slot('evil')::text)", "length(currval('entries_id_seq')::text)",
    "length(dblink_exec('dbname=postgres', 'CREATE TABLE stolen (a int)'))",
    "length(dblink_exec('loop', 'DELETE FROM accounts'))", "length(dblink_connect('stay', 'loop'))",
    "spend_all(1)", "((ROW(1)::coin).worth)", "((1::coin).worth)", "(1::guarded)", "CAST(1 AS guarded)",
)  # fmt: skip
_PLACES = (
    "SELECT {}", "VALUES ({})", "SELECT * FROM accounts WHERE id = {}", "SELECT * FROM accounts WHERE id IN (SELECT {})",
    "SELECT coalesce({}, 1) FROM accounts LIMIT 1", "WITH a AS MATERIALIZED (SELECT {} AS x) SELECT * FROM a",
    "SELECT CASE WHEN true THEN {} END", "SELECT * FROM generate_series(1, {}) g", "SELECT 1 ORDER BY {}",
    "SELECT * FROM accounts LIMIT {}", "SELECT count(*) FILTER (WHERE {} = 1) FROM accounts",
    "INSERT INTO accounts (id, email) VALUES ({}, 'x')", "SELECT sum(balance) OVER (ORDER BY {}) FROM accounts",
)  # fmt: skip
_OTHERS = (
    "WITH d AS (DELETE FROM accounts RETURNING *) SELECT * FROM d",
    "WITH d AS (/* */ DELETE/**/FROM accounts RETURNING *) SELECT * FROM d",
    "WITH d AS (INSERT INTO accounts VALUES (0, 'x', 0, '') RETURNING *) SELECT * FROM d",
    "WITH d AS (UPDATE accounts SET balance = 0 RETURNING *), e AS (SELECT * FROM d) SELECT count(*) FROM e",
    "WITH RECURSIVE d AS (SELECT 1 UNION ALL SELECT 1), e AS (DELETE FROM entries RETURNING 1) SELECT * FROM d",
    "INSERT INTO accounts SELECT 0, 'x', 0, '' ON CONFLICT DO NOTHING",
    "INSERT INTO audited VALUES (1)", "INSERT INTO ruled VALUES (1)",
    "DELETE FROM accounts WHERE id = 1 RETURNING *", "UPDATE accounts SET balance = (SELECT spend())",
    "MERGE INTO accounts a USING entries e ON a.id = e.id WHEN MATCHED THEN DELETE",
    "SELECT * FROM accounts FOR UPDATE", "SELECT * FROM accounts FOR/**/SHARE", "SELECT * FROM accounts FOR KEY SHARE",
    "SELECT * FROM accounts FOR NO KEY UPDATE SKIP LOCKED", "SELECT * FROM (SELECT * FROM accounts FOR UPDATE) x",
    "WITH x AS (SELECT * FROM accounts FOR UPDATE NOWAIT) SELECT * FROM x",
    "CREATE TABLE stolen AS TABLE accounts", "CREATE UNLOGGED TABLE stolen AS SELECT 1",
    "CREATE TEMP TABLE stolen AS SELECT spend()", "CREATE TABLE IF NOT EXISTS stolen AS SELECT 1 WITH NO DATA",
    "CREATE MATERIALIZED VIEW stolen AS SELECT * FROM accounts", "CREATE TABLE stolen AS EXECUTE x",
    "EXPLAIN ANALYZE CREATE TABLE stolen AS SELECT 1", "EXPLAIN ANALYZE SELECT * INTO stolen FROM accounts",
    "SELECT 1 AS a INTO TEMP stolen", "WITH x AS (SELECT 1) SELECT * INTO stolen FROM x",
    "SELECT a.spend_of FROM accounts a", "SELECT (a).spend_of FROM accounts a", "SELECT accounts.spend_of FROM accounts",
    "SELECT * FROM accounts WHERE id === 1", "SELECT * FROM accounts WHERE id OPERATOR(public.===) 1",
    "SELECT '{1}'::loud[]", "SELECT '(1,1)'::loud_pair", "SELECT array_in('{1}', 'loud'::regtype, -1)", "SELECT pg_input_is_valid('1', 'loud')",
    "SELECT jsonb_populate_record(NULL::loud_pair, '{\"b\": 1}')", "SELECT * FROM jsonb_to_record('{\"b\": 1}') AS x(b loud)",
    "SELECT 1 === 1", "SELECT spend_all(id) FROM accounts", "SELECT id::coin FROM accounts", "SELECT id::guarded FROM accounts",
    "SELECT * FROM spending", "SELECT * FROM spending_deeper", "SELECT * FROM locking", "SELECT * FROM killing",
    "SELECT * FROM secured", "SELECT count(*) FROM secured WHERE id > 0", "SELECT (SELECT x FROM spending)",
    "SELECT * FROM accounts WHERE EXISTS (SELECT FROM spending)", "TABLE spending", "SELECT * FROM ROWS FROM (spend()) x",
    "SELECT * FROM spend()", "SELECT * FROM spend() WITH ORDINALITY", "SELECT * FROM accounts, LATERAL spend()",
    "COPY accounts TO STDOUT", "COPY accounts FROM PROGRAM 'echo 1'", "COPY (DELETE FROM accounts RETURNING 1) TO STDOUT",
    "EXECUTE x", "EXECUTE queryproof_statement", "DEALLOCATE ALL", "FETCH ALL FROM c", "SHOW ALL", "LISTEN canary",
    "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "ALTER SYSTEM SET work_mem = '1MB'", "CHECKPOINT",
    "VACUUM accounts", "REINDEX TABLE accounts", "CLUSTER", "LOAD 'auto_explain'", "ALTER ROLE app SUPERUSER",
    "IMPORT FOREIGN SCHEMA public FROM SERVER loop INTO public", "SECURITY LABEL ON TABLE accounts IS 'x'",
    "SELECT * FROM far_accounts", "INSERT INTO far_accounts VALUES (0, 'x')", "DELETE FROM far_accounts",
    "SELECT * FROM far_spending", "SELECT lower(email) FROM accounts", "SELECT email || 'x' FROM accounts",
    "SELECT * FROM pg_class WHERE relname = 'accounts'", "SELECT length(email) FROM accounts",
    "SELECT current_setting('work_mem')",
)  # fmt: skip
STUBBORN_SETUP = """
CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN LOOP BEGIN PERFORM pg_sleep(30); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
"""
STUBBORN = ("SELECT stubborn()", "SELECT * FROM accounts WHERE id = stubborn()")


@dataclass(frozen=True, slots=True)
class Attack:
    """family: what it tries."""

    family: str
    sql: str


def attacks(file: str) -> tuple[Attack, ...]:
    """All attacks, each text once. file: a path that those writing files write to."""
    made = [
        *(Attack("statements", wrapping.format(write)) for wrapping, write in itertools.product(_WRAPPINGS, _WRITES)),
        *(Attack("functions", place.format(call)) for place, call in itertools.product(_PLACES, _CALLS)),
        *(Attack("others", text) for text in _OTHERS),
    ]
    return tuple({one.sql: Attack(one.family, one.sql.replace("FILE", file)) for one in made}.values())


def representative(all_attacks: tuple[Attack, ...]) -> tuple[Attack, ...]:
    """Every wrapping, every write, every call and every place at least once, and all the others."""
    chosen = [one for one in all_attacks if one.family == "others"]
    statements = [one for one in all_attacks if one.family == "statements"]
    functions = [one for one in all_attacks if one.family == "functions"]
    # Steps without a common factor with the rows' lengths come by each row and each column.
    return (*chosen, *statements[:: len(_WRITES) - 1], *functions[:: len(_PLACES) * 2 + 1], *functions[: len(_CALLS)])


DRIVERS = {one.dialect.driver: one for one in (psycopg2, psycopg, asyncpg, pg8000)}
_ACCOUNTS = table("accounts", column("id", Integer), column("email", String), column("note", String))


def as_value(text: str) -> tuple[tuple[str, object], ...]:
    """A statement with the text as its value, twice, as SQLAlchemy hands it to each driver: (statement, values)."""
    value = bindparam("told", type_=String)
    asked = select(_ACCOUNTS.c.id).where(_ACCOUNTS.c.email == value, _ACCOUNTS.c.note == value)
    found: list[tuple[str, object]] = []
    for driver in DRIVERS.values():
        compiled = asked.compile(dialect=driver.dialect())
        places = compiled.positiontup
        found.append((str(compiled), tuple(text for _ in places) if places is not None else {"told": text}))
    return tuple(found)
