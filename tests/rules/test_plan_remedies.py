"""What findings on real plans name: the table not the alias, the partitioned table not each partition, the right remedy."""

from collections.abc import Callable, Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.literals import without_literals
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.plan_shape import plan_shape
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.sql.parse import analyse
from queryproof.analyzer.sql.tokens import split_statements
from queryproof.rules.finding import Finding
from queryproof.rules.judge_plan import judge_plan
from queryproof.rules.plan_context import Around, PlanContext

SETUP = """
CREATE TABLE "Day Log" (day date, kind int, note text) PARTITION BY RANGE (day);
CREATE TABLE winter PARTITION OF "Day Log" FOR VALUES FROM ('2024-01-01') TO ('2024-03-01');
CREATE TABLE spring PARTITION OF "Day Log" FOR VALUES FROM ('2024-03-01') TO ('2024-05-01');
CREATE TABLE summer PARTITION OF "Day Log" FOR VALUES FROM ('2024-05-01') TO ('2024-07-01');
INSERT INTO "Day Log" SELECT date '2024-01-01' + n % 180, n % 500, repeat('x', 20) FROM generate_series(1, 60000) n;
CREATE TABLE visits (id int PRIMARY KEY, at timestamp, state text, site int, pad text);
INSERT INTO visits SELECT n, timestamp '2024-01-01' + n * interval '5 seconds', CASE WHEN n % 3 = 0 THEN 'open' ELSE 'shut' END, n % 900, repeat('x', 50)
  FROM generate_series(1, 60000) n;
CREATE INDEX open_visits ON visits (id) WHERE state = 'open';
CREATE TABLE one (k text, v text); CREATE TABLE other (k text, v text);
INSERT INTO one SELECT 'k' || n, repeat('v', 60) FROM generate_series(1, 30000) n;
INSERT INTO other SELECT 'k' || n, repeat('v', 60) FROM generate_series(1, 30000) n;
ANALYZE;
"""
Judge = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[Connection]:
    server.create_database("plan_remedies")
    opened = connect(server.url("plan_remedies", "app"))
    with opened.cursor() as cursor:
        cursor.execute(SETUP)
    yield opened
    opened.close()


SERIAL = "SET max_parallel_workers_per_gather = 0"


def judged(connection: Connection, sql: str, rule: str, *, catalog: bool = True, before: str = SERIAL) -> list[Finding]:
    """The rule's findings on the plan of the last statement, really run after the others."""
    *settings, last = split_statements(sql)
    with connection.cursor() as cursor:
        cursor.execute("RESET ALL")
        for one in filter(None, (before, *settings)):
            cursor.execute(one)
        cursor.execute(f"EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT JSON) {last}")
        ((document,),) = cursor.fetchall()
    around = Around(schema=read_schema(connection)) if catalog else Around()
    findings, _ = judge_plan(PlanContext(read_plan(document), around))
    return [one for one in findings if one.rule == rule]


@pytest.mark.parametrize("catalog", [True, False])
def test_partitions_have_one_finding_together(connection: Connection, catalog: bool) -> None:
    found = judged(connection, 'SELECT note FROM "Day Log" WHERE kind = 7', "seq-scan-high-filter", catalog=catalog)
    (finding,) = found
    facts = {fact.name: fact.value for fact in finding.facts}
    assert facts["partitions"] == 3
    assert "2 more partitions" in finding.message
    assert finding.remedy is not None
    assert finding.remedy.id == finding.identity
    if catalog:
        assert finding.subject.table == "public.Day Log"
        assert "Day Log" in finding.remedy.title
        with connection.cursor() as cursor:
            for code in finding.remedy.code:
                assert code.text == 'CREATE INDEX ON "public"."Day Log" ("kind");'
                cursor.execute(f"BEGIN; {code.text} ROLLBACK")


def test_tables_of_a_union_keep_a_finding_each(connection: Connection) -> None:
    sql = "SELECT v FROM one WHERE v = 'a' UNION ALL SELECT v FROM other WHERE v = 'b'"
    assert len(judged(connection, sql, "seq-scan-high-filter")) == 2
    assert len(judged(connection, sql, "seq-scan-high-filter", catalog=False)) == 2


def test_counting_a_partitioned_table_is_estimated_from_its_partitions(connection: Connection) -> None:
    (finding,) = judged(connection, 'SELECT count(*) FROM "Day Log"', "slow-count")
    assert finding.remedy is not None
    (code,) = finding.remedy.code
    with connection.cursor() as cursor:
        cursor.execute(code.text)
        assert cursor.fetchall() == [(60000,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM visits WHERE state <> 'none'",
        "SELECT count(*) FROM (SELECT FROM visits LIMIT 20000) v",
        "SELECT count(*) FROM (SELECT DISTINCT id FROM visits) v",
        "SELECT count(*) FROM one JOIN other USING (k)",
    ],
)
def test_what_a_table_does_not_hold_as_such_is_not_estimated_from_it(connection: Connection, sql: str) -> None:
    (finding,) = judged(connection, sql, "slow-count")
    assert finding.remedy is not None
    assert finding.remedy.code == ()
    assert finding.severity == "info"


def test_the_rows_that_a_subquery_reads_are_not_counted(connection: Connection) -> None:
    sql = "SELECT count(*) FROM generate_series(1, (SELECT count(*)::int FROM visits)) n"
    assert judged(connection, sql, "slow-count") == []
    (finding,) = judged(
        connection, "WITH v AS MATERIALIZED (SELECT id FROM visits) SELECT count(*) FROM v", "slow-count"
    )
    assert {fact.name: fact.value for fact in finding.facts}["rows counted"] == 60000


def test_a_count_that_was_never_run_counts_nothing() -> None:
    text = "Aggregate  (cost=0.00..1.00 rows=1 width=8) (never executed)\n  ->  Seq Scan on t  (cost=0.00..1.00 rows=1 width=0) (never executed)"
    findings, _ = judge_plan(PlanContext(read_plan(text), Around()))
    assert all(one.rule != "slow-count" for one in findings)


def test_a_join_that_has_an_equality_is_not_told_to_get_one(connection: Connection) -> None:
    join = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SELECT FROM (SELECT * FROM one LIMIT 300) a JOIN (SELECT * FROM other LIMIT 300) b ON"
    (equal,) = judged(connection, f"{join} a.k = b.k", "join-filter-waste")
    (less,) = judged(connection, f"{join} a.k || 'x' < b.k AND a.v > b.v", "join-filter-waste")
    assert equal.remedy is not None
    assert less.remedy is not None
    assert "hashed" in equal.remedy.title
    assert "Join by an equality" in less.remedy.title


def test_a_partial_index_stays_partial(connection: Connection) -> None:
    sql = "SET enable_seqscan = off; SELECT pad FROM visits WHERE state = 'open' AND site = 33"
    (finding,) = judged(connection, sql, "inefficient-index")
    assert finding.remedy is not None
    (code,) = finding.remedy.code
    assert code.text == """CREATE INDEX CONCURRENTLY ON "public"."visits" ("site") WHERE (state = 'open'::text);"""


def test_groups_by_an_expression_get_statistics_on_it(connection: Connection) -> None:
    sql = "SELECT date_trunc('day', v.at), count(*) FROM visits v GROUP BY date_trunc('day', v.at)"
    (finding,) = judged(connection, sql, "row-misestimate")
    assert finding.remedy is not None
    (code,) = finding.remedy.code
    with connection.cursor() as cursor:
        cursor.execute(code.text)
    try:
        assert judged(connection, sql, "row-misestimate") == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP STATISTICS st_visits")


def test_groups_by_an_expression_with_a_value_in_it_show_no_value(connection: Connection) -> None:
    sql = "SELECT v.at > '2024-01-02 03:04:05' AND v.site <> 7, v.id % 4711, count(*) FROM visits v GROUP BY 1, 2"
    for finding in judged(connection, sql, "row-misestimate"):
        assert finding.remedy is not None
        assert "4711" not in "".join(code.text for code in finding.remedy.code)


def test_a_sort_for_a_merge_join_names_columns_of_the_table(connection: Connection) -> None:
    sql = (
        "SET enable_hashjoin = off; SET enable_nestloop = off; SET work_mem = '64kB'; "
        "SELECT count(a.v || b.v) FROM one a JOIN other b ON b.k = a.k"
    )
    titles = {
        one.remedy.title for one in judged(connection, sql, "external-merge-join-sorts") if one.remedy is not None
    }
    assert titles
    assert all(title.startswith(("Index (k) of one,", "Index (k) of other,")) for title in titles), titles


def test_the_number_of_a_subplan_is_no_literal(connection: Connection) -> None:
    assert without_literals("((hashed SubPlan 1) OR (n = 5))") == "((hashed SubPlan 1) OR (n = ?))"
    assert without_literals("(id = (InitPlan 12).col1)") == "(id = (InitPlan 12).col1)"
    with connection.cursor() as cursor:
        shapes = set()
        for sql in ("SELECT k FROM one WHERE k NOT IN (SELECT k FROM other)",) * 2:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            ((document,),) = cursor.fetchall()
            shapes.add(plan_shape(read_plan(document).root))
    assert len(shapes) == 1


def test_a_plain_plan_counts_the_runs_of_a_subquery_as_its_own(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (VERBOSE, FORMAT JSON) SELECT a.v, (SELECT count(*) FROM other b WHERE b.k = a.k) FROM one a"
        )
        ((document,),) = cursor.fetchall()
    context = PlanContext(read_plan(document))
    most = max(context.nodes, key=lambda node: context.own_costs[node.id])
    assert most.relation == "other"
    assert sum(context.own_costs.values()) == pytest.approx(context.plan.root.total_cost, rel=0.01)
    assert context.share(most) > 0.9


def test_a_functions_result_in_a_file_is_called_by_its_name(connection: Connection) -> None:
    sql = "SET work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 60000) n"
    (finding,) = judged(connection, sql, "materialize-spill")
    assert finding.remedy is not None
    assert finding.message.startswith("The result of generate_series takes")
    assert "select list" in finding.remedy.title
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(n) FROM (SELECT generate_series(1, 60000) AS n) s"
        )
        ((document,),) = cursor.fetchall()
    assert all(not node.self_temp for node in read_plan(document).root.walk())


SHARED = "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"


def test_a_wrong_estimate_below_a_gather_is_named_where_it_begins(connection: Connection) -> None:
    sql = f"{SHARED}; SELECT count(*) FROM visits v JOIN one ON one.k = 'k' || v.id WHERE v.site % 2 = 0"
    (finding,) = judged(connection, sql, "row-misestimate", before="")
    assert {fact.name: fact.value for fact in finding.facts}["node"] == "Seq Scan"
    assert finding.subject.table == "public.visits"
    assert "in each process" in finding.message


PARTITIONED = """
CREATE TABLE shops (region int, id int, name text) PARTITION BY LIST (region);
CREATE TABLE bills (region int, shop int, total int, note text) PARTITION BY LIST (region);
CREATE TABLE shops_north PARTITION OF shops FOR VALUES IN (1);
CREATE TABLE shops_south PARTITION OF shops FOR VALUES IN (2);
CREATE TABLE northern PARTITION OF bills FOR VALUES IN (1);
CREATE TABLE southern PARTITION OF bills FOR VALUES IN (2);
INSERT INTO shops SELECT 1 + n % 2, n, 's' || n FROM generate_series(1, 200) n;
INSERT INTO bills SELECT 1 + n % 2, n % 200, n, repeat('x', 40) FROM generate_series(1, 60000) n;
ANALYZE shops, bills;
"""
JOINED = "SET enable_partitionwise_join = on; SELECT s.name FROM shops s JOIN bills b ON b.region = s.region AND b.shop = s.id WHERE b.total % 900 = 7 AND b.total = 7"


@pytest.mark.parametrize("catalog", [True, False])
def test_joins_of_partitions_name_the_table_not_one_of_its_partitions(connection: Connection, catalog: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(PARTITIONED)
        try:
            (finding,) = judged(connection, JOINED, "seq-scan-high-filter", catalog=catalog)
        finally:
            cursor.execute("ROLLBACK")
    assert finding.remedy is not None
    assert finding.message.endswith(f"the same in 1 more partition of {'bills' if catalog else 'b'}")
    assert finding.subject.table == ("public.bills" if catalog else None)
    assert finding.subject.detail == ("bills" if catalog else "partitions of b")
    assert "northern" not in finding.remedy.title
    told = " ".join(code.text for code in finding.remedy.code)
    assert ('ON "public"."bills"' in told) is catalog
    assert ('"northern"' in told and '"southern"' in told) is not catalog


def test_a_conversion_is_told_by_the_rule_that_knows_the_remedy(connection: Connection) -> None:
    sql = "SELECT pad FROM visits WHERE site = 33.0"
    assert judged(connection, sql, "seq-scan-high-filter") == []
    (finding,) = judged(connection, sql, "implicit-cast")
    assert finding.remedy is not None
    assert finding.remedy.title == "Compare site with a value of its own type, integer, and index it"
    (code,) = finding.remedy.code
    assert code.text == 'CREATE INDEX CONCURRENTLY ON "public"."visits" ("site");'
    (indexed,) = judged(connection, "SELECT pad FROM visits WHERE id = 33.0", "implicit-cast")
    assert indexed.remedy is not None
    assert indexed.remedy.code == ()
    (beside,) = judged(connection, f"{sql} AND pad = 'x'", "seq-scan-high-filter")
    assert beside.remedy is not None
    assert '("pad")' in beside.remedy.code[0].text


UNNUMBERED = """
Append  (cost=0.00..1500.00 rows=3 width=8) (actual time=0.100..92.700 rows=3 loops=1)
  ->  Hash Join  (cost=1.00..500.00 rows=1 width=8) (actual time=0.100..46.000 rows=2 loops=1)
        Hash Cond: (q_1.id = b.id)
        ->  Seq Scan on shops_north q_1  (cost=0.00..1.50 rows=100 width=8) (actual time=0.010..0.020 rows=100 loops=1)
        ->  Hash  (cost=400.00..400.00 rows=27 width=8) (actual time=45.000..45.000 rows=25 loops=1)
              ->  Seq Scan on FIRST b  (cost=0.00..400.00 rows=27 width=8) (actual time=0.010..44.000 rows=25 loops=1)
                    Filter: (region = 7)
                    Rows Removed by Filter: 20045
  ->  Hash Join  (cost=1.00..500.00 rows=1 width=8) (actual time=0.100..46.000 rows=1 loops=1)
        Hash Cond: (q_2.id = b_1.id)
        ->  Seq Scan on shops_south q_2  (cost=0.00..1.50 rows=100 width=8) (actual time=0.010..0.020 rows=100 loops=1)
        ->  Hash  (cost=400.00..400.00 rows=27 width=8) (actual time=45.000..45.000 rows=25 loops=1)
              ->  Seq Scan on SECOND b_1  (cost=0.00..400.00 rows=27 width=8) (actual time=0.010..44.000 rows=25 loops=1)
                    Filter: (region = 7)
                    Rows Removed by Filter: 20145
Planning Time: 0.592 ms
Execution Time: 92.900 ms
"""
PARTS = "SELECT q.id FROM shops q JOIN bills b USING (id) WHERE b.region = 7"
UNION = (
    "SELECT q.id FROM shops q JOIN northern b USING (id) UNION ALL SELECT q.id FROM shops q JOIN southern b USING (id)"
)


@pytest.mark.parametrize(
    ("first", "second", "statement", "subjects"),
    [
        ("northern", "southern", PARTS, ["bills"]),
        ("northern", "southern", UNION, ["northern", "southern"]),
        ("northern", "southern", None, ["northern", "southern"]),
        ("bills_2024", "bills_2025", None, ["partitions of b"]),
        ("bills", "bills_archive", None, ["bills", "bills_archive"]),
    ],
)
def test_the_first_of_partitions_that_are_joined_may_have_no_number(
    first: str, second: str, statement: str | None, subjects: list[str]
) -> None:
    """As the tables of a UNION: the statement tells which they are, else their names."""
    plan = read_plan(UNNUMBERED.replace("FIRST", first).replace("SECOND", second))
    around = Around(statement=analyse(statement) if statement else None)
    findings, _ = judge_plan(PlanContext(plan, around))
    assert sorted(one.subject.detail for one in findings if one.rule == "seq-scan-high-filter") == subjects


def test_extended_statistics_name_only_columns_of_their_own_table() -> None:
    plan = """
Nested Loop  (cost=0.29..900.00 rows=400000 width=8) (actual time=0.05..90.00 rows=400 loops=1)
  ->  Seq Scan on town t  (cost=0.00..10.00 rows=400 width=8) (actual time=0.01..1.00 rows=400 loops=1)
  ->  Index Scan using house_at on house h  (cost=0.29..9.00 rows=1000 width=8) (actual time=0.10..0.20 rows=1 loops=400)
        Index Cond: (h.at >= t.built)
        Filter: CONDITION
Execution Time: 91.0 ms
"""
    told = []
    for condition in ("(h.at <= (t.built + t.width))", "(h.kind = t.kind)"):
        findings, _ = judge_plan(PlanContext(read_plan(plan.replace("CONDITION", condition)), Around()))
        (finding,) = [one for one in findings if one.rule == "row-misestimate"]
        assert finding.remedy is not None
        told.append([code.text for code in finding.remedy.code])
    assert told == [['ANALYZE "house";']] * 2


def test_where_no_column_can_be_named_the_condition_is(connection: Connection) -> None:
    (finding,) = judged(connection, "SELECT id FROM visits WHERE pad LIKE 'secret%'", "seq-scan-high-filter")
    assert finding.remedy is not None
    assert finding.remedy.title.startswith("Index visits for (")
    assert " ~~ ?" in finding.remedy.title
