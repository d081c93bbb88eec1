"""EXPLAIN reads plans of real statements and does no harm, whatever it is given."""

import contextlib
from collections.abc import Callable

import pytest

from queryproof.analyzer.errors import ServerError, StatementError
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect, masked
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.explain_workload import explain_workload
from queryproof.analyzer.postgres.plan_text import described, hide_literals
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.workload import ParameterSample, QueryGroup, Workload

SETUP = """
CREATE TABLE accounts (id int PRIMARY KEY, email text NOT NULL, balance numeric, "Odd Name" text);
INSERT INTO accounts SELECT g, 'user' || g || '@example.org', g, 'x' FROM generate_series(1, 5000) g;
CREATE INDEX ix_accounts_balance ON accounts (balance DESC) INCLUDE (email) WHERE balance > 10;
CREATE TABLE entries (id serial PRIMARY KEY, account_id int REFERENCES accounts ON DELETE CASCADE);
CREATE FUNCTION spend() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM accounts; RETURN 1; END $$;
CREATE FUNCTION liar() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN DELETE FROM accounts; RETURN 1; END $$;
ANALYZE;
"""


@pytest.fixture
def bank(database: str, run_sql: Callable[..., None]) -> str:
    run_sql(database, SETUP)
    return database


def group(sql: str, values: object = ()) -> QueryGroup:
    sample = ParameterSample(sql, values, 1.0, "recorded")  # type: ignore[arg-type] # tests give what drivers give
    return QueryGroup("f", sql, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0, (), (sample,), ())


def test_a_plan_of_a_real_run_has_times_rows_and_buffers(bank: str) -> None:
    connection = connect(bank)
    explained = Explainer(connection, analyze=True).explain(
        group("SELECT * FROM accounts WHERE email = %(e)s", {"e": "user7@example.org"})
    )
    plan = explained.plan
    assert plan is not None
    assert plan.analyzed
    assert (plan.root.type, plan.root.rows, plan.root.removed) == ("Seq Scan", 1, 4999)
    assert plan.root.self_ms == plan.root.total_ms
    assert plan.root.buffers
    assert "user7" in described(plan).text
    hidden = hide_literals(plan)
    assert "user7" not in repr(hidden)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT * FROM accounts WHERE id = $1::INTEGER AND email = $2::VARCHAR", (7, "a'b$1")),
        ("SELECT * FROM accounts WHERE id = ANY(%(ids)s)", {"ids": [1, 2]}),
        ("SELECT * FROM accounts WHERE balance > %s", (5.5,)),
        ("SELECT id %% 2 FROM accounts WHERE id = %(x)s", {"x": 3}),
        ('SELECT "Odd Name" FROM accounts', ()),
    ],
)
def test_values_of_every_driver_are_bound(bank: str, sql: str, values: object) -> None:
    connection = connect(bank)
    explained = Explainer(connection, analyze=True).explain(group(sql, values))
    assert explained.plan is not None, explained.note
    assert explained.plan.analyzed
    connection.close()


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM accounts WHERE id = $1", "SELECT now() - interval $1", "SELECT id FROM accounts WHERE email LIKE $1 LIMIT $2",
     "UPDATE accounts SET email = $1 WHERE id = $2"],
)  # fmt: skip
def test_texts_without_values_get_a_generic_plan(bank: str, sql: str) -> None:
    connection = connect(bank)
    explained = Explainer(connection, analyze=False).explain(group(sql, None))
    assert explained.plan is not None, explained.note
    assert not explained.plan.analyzed
    assert "no parameter values" in explained.note
    connection.close()


def test_without_being_asked_nothing_is_run(bank: str) -> None:
    connection = connect(bank)
    explained = Explainer(connection, analyze=False).explain(group("SELECT * FROM accounts"))
    assert explained.plan is not None
    assert not explained.plan.analyzed
    assert "--analyze" in explained.note
    connection.close()


def test_a_superuser_is_refused_with_the_remedy_and_lowered_on_request(server: Server, bank: str) -> None:
    connection = connect(bank.replace("//app@", "//postgres@"))
    with pytest.raises(ServerError, match="CREATE ROLE"):
        Explainer(connection, analyze=True)
    explainer = Explainer(connection, analyze=True, allow_superuser=True)
    assert explainer.explain(group("SELECT * FROM accounts")).plan is not None
    refused = explainer.explain(group("SELECT pg_read_file('/etc/passwd')"))
    assert refused.plan is None or not refused.plan.analyzed
    assert "42501" in refused.note or "may change something" in refused.note, refused.note
    connection.close()


ATTACKS = [
    "DELETE FROM accounts",
    "DELETE FROM accounts; COMMIT",
    "SELECT 1; DELETE FROM accounts",
    "SELECT 1; COMMIT; DELETE FROM accounts",
    "SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM accounts; COMMIT",
    "COMMIT; DELETE FROM accounts",
    "ROLLBACK; DELETE FROM accounts",
    "SET TRANSACTION READ WRITE; DELETE FROM accounts",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM accounts",
    "CREATE TABLE stolen AS SELECT * FROM accounts",
    "SELECT * INTO stolen FROM accounts",
    "CREATE MATERIALIZED VIEW stolen AS SELECT * FROM accounts",
    "WITH d AS (DELETE FROM accounts RETURNING *) SELECT * FROM d",
    "WITH d AS (/* */ DELETE/**/FROM accounts RETURNING *) SELECT * FROM d",
    "WITH d AS (INSERT INTO accounts VALUES (0, 'x', 0, '') RETURNING *) SELECT * FROM d",
    "SELECT * FROM accounts FOR UPDATE",
    "SELECT * FROM accounts FOR/**/SHARE",
    "SELECT * FROM accounts FOR NO KEY UPDATE SKIP LOCKED",
    "DO $$ BEGIN DELETE FROM accounts; END $$",
    "SELECT spend()",
    "SELECT public.spend()",
    'SELECT "spend"()',
    "SELECT spend /* */ ()",
    "SELECT liar()",
    "SELECT * FROM accounts WHERE id = liar()",
    "SELECT nextval('entries_id_seq')",
    "SELECT setval('entries_id_seq', 99)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(2)",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT pg_notify('c', 'x')",
    "SELECT lo_create(0)",
    "SELECT pg_sleep(0)",
    "COPY accounts TO PROGRAM 'true'",
    "COPY (DELETE FROM accounts RETURNING 1) TO STDOUT",
    "EXPLAIN ANALYZE DELETE FROM accounts",
    "EXECUTE x",
    "PREPARE x AS DELETE FROM accounts",
    "TRUNCATE accounts",
    "DROP TABLE accounts",
    "LOCK TABLE accounts",
    "CALL nothing()",
    "SELECT '\\'; DELETE FROM accounts; --'",
    "SELECT E'\\'; DELETE FROM accounts; --'",
    "SELECT $a$ $a$; DELETE FROM accounts; SELECT $b$ $b$",
    "SELECT 1 /* ; */; DELETE FROM accounts --",
    "SELECT $cage$ $cage$; DELETE FROM accounts",
    "SELECT 1\x00; DELETE FROM accounts",
    "VALUES (spend())",
    "TABLE accounts; DELETE FROM accounts",
    "MERGE INTO accounts a USING entries e ON a.id = e.id WHEN MATCHED THEN DELETE",
    ") DELETE FROM accounts",
    "(ANALYZE) DELETE FROM accounts",
    "ANALYZE DELETE FROM accounts",
]


@pytest.mark.parametrize("user", ["app", "postgres"])
def test_no_attack_changes_contents_or_leaves_a_lock(bank: str, user: str) -> None:
    state = """
        SELECT (SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM accounts a), (SELECT last_value FROM entries_id_seq),
               (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
               (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_largeobject_metadata)
    """
    watcher = connect(bank)
    victim = connect(bank.replace("//app@", f"//{user}@"))
    with watcher.cursor() as cursor:
        cursor.execute(state)
        before = cursor.fetchone()
        for attack in ATTACKS:
            explainer = Explainer(victim, analyze=True, allow_superuser=True, timeout_s=5)
            explainer.explain(group(attack))
            with contextlib.suppress(StatementError):
                explainer.measure(attack, 1)
            cursor.execute(state)
            assert cursor.fetchone() == before, attack
            assert not victim.closed, attack
    watcher.close()
    victim.close()


def test_a_statement_that_takes_too_long_gets_its_plain_plan(bank: str) -> None:
    connection = connect(bank)
    slow = "SELECT count(*) FROM accounts a, accounts b WHERE a.balance + b.balance < 0"
    explained = Explainer(connection, analyze=True, timeout_s=0.2).explain(group(slow))
    assert explained.plan is not None
    assert not explained.plan.analyzed
    assert explained.note == "planned only, as the run was stopped: it did not end within 0.2 s"
    connection.close()


def test_a_swallowed_timeout_is_ended_all_the_same(bank: str) -> None:
    connection = connect(bank)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN LOOP BEGIN PERFORM pg_sleep(10);"
            " EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
        )
    workload = Workload((group("SELECT stubborn()"), group("SELECT 1")), (), ())
    explained = explain_workload(
        workload, Explainer(connection, analyze=False, timeout_s=0.3), lambda _, items: iter(items)
    )
    assert "connection" in explained["f"].note or explained["f"].plan is not None
    connection.close()


def test_errors_keep_the_code_and_lose_the_values(bank: str) -> None:
    connection = connect(bank)
    explainer = Explainer(connection, analyze=True)
    note = explainer.explain(group("SELECT * FROM accounts WHERE id = 'c4n4ry'")).note
    assert "22P02" in note
    assert "c4n4ry" not in note
    assert "42P01" in explainer.explain(group("SELECT * FROM missing")).note
    assert explainer.explain(group("SELECT FROM WHERE")).plan is None
    connection.close()


def test_the_schema_is_read_with_indexes_keys_and_statistics(bank: str) -> None:
    connection = connect(bank)
    schema = read_schema(connection)
    accounts = schema.table("accounts")
    assert accounts is not None
    assert accounts.rows == 5000
    assert [column.name for column in accounts.columns] == ["id", "email", "balance", "Odd Name"]
    email = accounts.column("email")
    assert email is not None
    assert email.distinct == 5000
    partial = next(index for index in accounts.indexes if index.name == "ix_accounts_balance")
    assert (partial.columns, partial.include, partial.descending) == (("balance",), ("email",), (True,))
    assert partial.predicate == "balance > 10::numeric"
    entries = schema.table("entries")
    assert entries is not None
    assert entries.foreign_keys[0].on_delete == "CASCADE"
    assert "pg_trgm" in schema.extensions
    connection.close()


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://nobody:s3cret@127.0.0.1:1/x", "is the server running"),
        ("postgresql://u:s3cret@/x?host=/nonexistent", "is the server running"),
        ("mysql://u:s3cret@localhost/x", "PostgreSQL"),
        ("not a url s3cret", "not a database URL"),
        ("postgresql://u:s3cret@localhost:notaport/x", "not a database URL"),
        ("postgresql://u:p@s3cret@127.0.0.1:1/x", "write @ as %40"),
        ("postgresql://u:p@s3cret/w?x@127.0.0.1:1/d", "write @ as %40"),
        ("postgresql://u:p/s3cret@127.0.0.1:1/x", "is the server running"),
        ("postgresql://u:p?s3cret@127.0.0.1:1/x", "is the server running"),
        ("postgresql://u:p s3cret@127.0.0.1:1/x", "is the server running"),
        ("postgresql://u:p%40s3cret@127.0.0.1:1/x", "is the server running"),
        ("postgresql://127.0.0.1:1/x?password=s3cret&user=a%40b", "is the server running"),
        ("postgresql://127.0.0.1:1/x?sslpassword=s3cret", "is the server running"),
        ("host=127.0.0.1 port=1 password='a s3cret'", "is the server running"),
        ("host=127.0.0.1 port=1 password=a s3cret", "not a database URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_explained_without_its_password(url: str, cause: str) -> None:
    with pytest.raises(ServerError, match=cause) as caught:
        connect(url)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in masked(url)


def test_a_missing_database_or_role_is_named(server: Server) -> None:
    for url in (server.url("absent", "app"), server.url("postgres", "absent")):
        with pytest.raises(ServerError, match="check the name"):
            connect(url)


def test_times_of_cte_and_init_plan_are_charged_where_they_run(bank: str) -> None:
    connection = connect(bank)
    explainer = Explainer(connection, analyze=True)
    for sql in (
        "WITH c AS MATERIALIZED (SELECT * FROM accounts ORDER BY email) SELECT count(*) FROM c a JOIN c b ON a.id = b.id",
        """SELECT (SELECT count(*) FROM accounts WHERE email LIKE '%9%'), id FROM accounts
           WHERE balance > (SELECT avg(balance) FROM accounts)""",
        "SELECT id, (SELECT count(*) FROM entries e WHERE e.account_id = a.id) FROM accounts a WHERE id < 50",
    ):
        plan = explainer.measure(sql, 1)
        total = sum(node.self_ms or 0.0 for node in plan.root.walk())
        assert total == pytest.approx(plan.root.total_ms, rel=0.02, abs=0.1)
    connection.close()


def test_a_missing_right_is_named_for_what_it_is(server: Server) -> None:
    server.create_database("rights")
    owner, app = connect(server.url("rights", "postgres")), connect(server.url("rights", "app"))
    with owner.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE hidden (id int); CREATE FUNCTION closed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; "
            "REVOKE ALL ON FUNCTION closed(int) FROM public; CREATE SCHEMA shut; CREATE TABLE shut.t (id int)"
        )
    explainer = Explainer(app, analyze=False)
    notes = {
        sql: explainer.explain(group(sql)).note
        for sql in ("SELECT id FROM hidden", "SELECT closed(1)", "SELECT id FROM shut.t")
    }
    for right, (sql, note) in zip(("SELECT", "EXECUTE", "USAGE"), notes.items(), strict=True):
        assert f"GRANT the role of --url {right} on it" in note, (sql, note)
    owner.close()
    app.close()


def test_only_functions_of_somebody_s_own_are_to_be_marked_otherwise(bank: str) -> None:
    connection = connect(bank)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION looks_up() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
    explainer = Explainer(connection, analyze=True)
    own, servers = (
        explainer.explain(group(f"SELECT {call}")) for call in ("looks_up()", "set_config('a.b', 'c', false)")
    )
    assert "looks_up, which is VOLATILE and may change something; mark it STABLE" in own.note
    assert servers.note.endswith("set_config, which may change something")
    connection.close()


@pytest.mark.parametrize("sql", ["PREPARE p ($1) AS SELECT * FROM missing", "EXPLAIN (COSTS $1) SELECT * FROM missing"])
def test_a_statement_that_loses_its_parameters_and_fails_is_told(bank: str, sql: str) -> None:
    connection = connect(bank)
    explained = Explainer(connection, analyze=True).explain(group(sql))
    assert explained.plan is None
    assert 'relation "missing" does not exist' in explained.note
    connection.close()
