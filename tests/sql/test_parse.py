"""What a statement asks of each table."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queryproof.analyzer.sql.guard import single_statement_kind
from queryproof.analyzer.sql.parse import analyse, format_sql
from queryproof.analyzer.sql.placeholders import number_question_marks
from queryproof.analyzer.sql.statement import TableScan


def scan(sql: str, table: str = "t") -> TableScan:
    statement = analyse(sql)
    assert statement.problem is None
    return next(found for found in statement.scans if found.table == table)


def kinds(sql: str) -> list[tuple[str | None, str, str]]:
    return [(one.column, one.operator, one.kind) for one in scan(sql).predicates]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a = %(a_1)s", ("a", "=", "equality")),
        ("t.a = $1::VARCHAR", ("a", "=", "equality")),
        ("$1 = a", ("a", "=", "equality")),
        ("a IN (1, 2)", ("a", "IN", "in")),
        ("a = ANY(%(x)s)", ("a", "= ANY", "in")),
        ("a > 5", ("a", ">", "range")),
        ("5 < a", ("a", ">", "range")),
        ("a BETWEEN 1 AND 2", ("a", "BETWEEN", "range")),
        ("a LIKE 'abc%'", ("a", "LIKE", "like-prefix")),
        ("a LIKE %(x)s", ("a", "LIKE", "like")),
        ("a ILIKE '%x%'", ("a", "ILIKE", "like")),
        ("a IS NULL", ("a", "IS NULL", "is-null")),
        ("a IS NOT NULL", ("a", "IS NOT NULL", "is-not-null")),
        ("a", ("a", "=", "equality")),
        ("NOT a", ("a", "=", "equality")),
        ("a IS true", ("a", "IS", "equality")),
        ("a @> %(x)s::VARCHAR[]", ("a", "@>", "contains")),
        ("CAST(%(x)s AS JSONB) <@ a", ("a", "@>", "contains")),
        ("a && ARRAY[1]", ("a", "&&", "contains")),
        ("a ? 'k'", ("a", "?", "key-exists")),
        ("a <> 1", ("a", "<>", "other")),
        ("lower(a) = %(x)s", (None, "=", "equality")),
        ("a ->> 'k' = %(x)s", (None, "=", "equality")),
        ("to_tsvector('english', a) @@ plainto_tsquery('english', %(q)s)", (None, "@@", "full-text")),
    ],
)
def test_each_condition_is_read(condition: str, expected: tuple[str | None, str, str]) -> None:
    assert kinds(f"SELECT a FROM t WHERE {condition}") == [expected]


def test_expressions_are_given_as_postgresql_indexes_them() -> None:
    found = scan(
        "SELECT t.a FROM t WHERE lower(t.a) = 'x' AND to_tsvector('english', t.b) @@ to_tsquery('english', 'q')"
    )
    assert [one.expression.lower() for one in found.predicates] == ["lower(a)", "to_tsvector('english', b)"]


def test_constants_and_parameters_are_told_apart() -> None:
    found = scan("SELECT a FROM t WHERE a = 'failed' AND b = %(b_1)s AND c > %(c_1)s").predicates
    assert [(one.constant, one.parameter) for one in found] == [("'failed'", None), (None, 0), (None, 1)]


def test_order_and_limit_of_an_sqlalchemy_statement() -> None:
    found = scan(
        "SELECT t.id, t.title FROM t WHERE t.s = %(s_1)s ORDER BY t.created_at DESC, t.id ASC NULLS FIRST LIMIT %(param_1)s"
    )
    assert [(key.column, key.descending, key.nulls_first) for key in found.order_by] == [
        ("created_at", True, True),
        ("id", False, True),
    ]
    assert found.limited
    assert found.columns == ("created_at", "id", "s", "title")


def test_joins_exists_and_in_subqueries_are_join_predicates() -> None:
    statement = analyse(
        "SELECT a.x FROM a JOIN b ON b.a_id = a.id WHERE EXISTS (SELECT 1 FROM c WHERE c.b_id = b.id) "
        "AND a.y IN (SELECT d.y FROM d)"
    )
    joins = {one.table: {p.column for p in one.predicates if p.join} for one in statement.scans}
    assert joins == {"a": {"id", "y"}, "b": {"a_id", "id"}, "c": {"b_id"}, "d": {"y"}}


def test_known_columns_tell_whose_an_unqualified_column_is() -> None:
    columns = {"part": frozenset(("p_key", "p_size")), "line": frozenset(("l_part", "l_price"))}
    sql = "SELECT l_price FROM part, line WHERE p_key = l_part AND p_size = 5 AND l_price < (SELECT avg(l_price) FROM line WHERE l_part = p_key)"
    outer, line, inner = analyse(sql, columns).scans
    assert {(p.column, p.kind) for p in outer.predicates} >= {("p_key", "equality"), ("p_size", "equality")}
    assert ("l_part", True) in {(p.column, p.join) for p in line.predicates}
    assert [(p.column, p.kind, p.join) for p in inner.predicates] == [("l_part", "equality", True)]
    assert analyse(sql, columns).cartesian == ()


def test_a_cte_is_not_a_table_but_its_tables_are() -> None:
    statement = analyse("WITH w AS (SELECT a FROM t WHERE a = 1) SELECT * FROM w JOIN u ON u.a = w.a")
    assert sorted(one.table for one in statement.scans) == ["t", "u"]


@pytest.mark.parametrize("sql", ["UPDATE t SET b = 1 WHERE a = 5", "DELETE FROM t WHERE a = 5"])
def test_writes_have_scans_too(sql: str) -> None:
    assert kinds(sql) == [("a", "=", "equality")]


def test_or_is_left_out_and_told() -> None:
    found = scan("SELECT a FROM t WHERE a = 1 OR b = 2")
    assert found.predicates == ()
    assert found.or_predicates


def test_quoted_names_keep_their_case() -> None:
    found = scan('SELECT "Odd Col" FROM "Weird Table" WHERE "Odd Col" = 1', "Weird Table")
    assert found.predicates[0].column == "Odd Col"


@pytest.mark.parametrize(
    ("sql", "stars"),
    [
        ("SELECT * FROM t", ("",)),
        ("SELECT t.* FROM t", ("t",)),
        ("SELECT count(*) FROM t", ()),
        ("SELECT a FROM t WHERE EXISTS (SELECT * FROM u)", ()),
        ("SELECT * FROM (SELECT a FROM t) s", ()),
        ("WITH w AS (SELECT a FROM t) SELECT * FROM w", ()),
        ("SELECT a FROM (SELECT * FROM t) s", ()),
    ],
)
def test_only_stars_of_the_outermost_level_count(sql: str, stars: tuple[str, ...]) -> None:
    assert analyse(sql).selects_star == stars


@pytest.mark.parametrize(
    ("sql", "pairs"),
    [
        ("SELECT 1 FROM a, b", 1),
        ("SELECT 1 FROM a, b WHERE a.x = 1 AND b.y = 2", 1),
        ("SELECT 1 FROM a, b WHERE a.id = b.a_id", 0),
        ("SELECT 1 FROM a JOIN b ON a.id = b.a_id", 0),
        ("SELECT 1 FROM a JOIN b ON true", 0),
        ("SELECT 1 FROM a CROSS JOIN b", 0),
        ("SELECT 1 FROM a NATURAL JOIN b", 0),
        ("SELECT 1 FROM a JOIN b USING (id)", 0),
        ("SELECT 1 FROM a, b, c WHERE a.id = b.a_id", 1),
        ("SELECT 1 FROM a, b, c WHERE a.id = b.a_id AND b.id = c.b_id", 0),
        ("SELECT 1 FROM a, b WHERE EXISTS (SELECT 1 FROM c WHERE c.a = a.id AND c.b = b.id)", 0),
        ("SELECT 1 FROM a, generate_series(1, 3) g", 0),
        ("SELECT 1 FROM a, (SELECT max(x) AS m FROM b) s", 0),
        ("SELECT 1 FROM a, LATERAL (SELECT 1 FROM b WHERE b.a_id = a.id) s", 0),
        ("SELECT 1 FROM a, unnest(a.labels) u", 0),
        ("SELECT 1 FROM a, b WHERE id = a_id", 0),
        ("SELECT 1 FROM a LEFT JOIN (b AS x JOIN c ON x.id = c.b_id) ON x.id = a.b_id JOIN d ON d.id = c.d_id", 0),
        (
            "SELECT 1 FROM a JOIN ((b JOIN c ON b.id = c.b_id) JOIN d ON d.id = c.d_id) ON b.id = a.b_id JOIN e ON e.id = d.e_id",
            0,
        ),
        ("SELECT 1 FROM (a JOIN b ON a.id = b.a_id) AS j JOIN c ON c.id = j.x JOIN d ON d.y = j.y", 0),
        ("SELECT 1 FROM (a JOIN b ON a.id = b.a_id), c WHERE a.x > 1", 1),
        ("SELECT 1 FROM a LEFT JOIN (b JOIN c ON b.x > 3) ON a.id = b.a_id", 1),
        ("WITH w AS (SELECT x FROM b ORDER BY y LIMIT 9) SELECT 1 FROM a JOIN w ON w.x = a.x JOIN c ON c.x = w.x", 0),
        ("SELECT 1 FROM a JOIN (SELECT max(x) AS x FROM b) s ON s.x = a.x JOIN c ON c.x = s.x", 0),
        (
            "SELECT 1 FROM a JOIN LATERAL (SELECT id FROM b WHERE b.a_id = a.id LIMIT 3) s ON true JOIN c ON c.id = s.id",
            0,
        ),
        ("SELECT 1 FROM a, unnest(a.tags) t(x) JOIN c ON c.tag = t.x", 0),
        ("SELECT 1 FROM a JOIN (VALUES (1, 2)) v(x, y) ON v.x = a.x JOIN c ON c.y = v.y", 0),
        ("SELECT 1 FROM a JOIN generate_series(1, 9) g(n) ON g.n = a.n JOIN c ON c.n = g.n", 0),
        ("SELECT 1 FROM a, b WHERE a.x IN (SELECT id FROM c WHERE y < 5) AND b.z = 1", 1),
    ],
)
def test_unconnected_tables_are_found_and_meant_ones_left_alone(sql: str, pairs: int) -> None:
    assert len(analyse(sql).cartesian) == pairs


@pytest.mark.parametrize(
    ("sql", "aggregated", "grouped", "limited"),
    [
        ("SELECT count(*) FROM t", True, False, False),
        ("SELECT max(a) + 1 FROM t", True, False, False),
        ("SELECT jsonb_agg(a ORDER BY b) FROM t", True, False, False),
        ("SELECT every(a) FILTER (WHERE b) FROM t", True, False, False),
        ("SELECT jsonb_agg(a) OVER () FROM t", False, False, False),
        ("SELECT a, count(*) FROM t GROUP BY a", False, True, False),
        ("SELECT a, row_number() OVER () FROM t", False, False, False),
        ("SELECT a, sum(b) OVER () FROM t", False, False, False),
        ("SELECT a FROM t FETCH FIRST 5 ROWS ONLY", False, False, True),
        ("SELECT a FROM t LIMIT 5", False, False, True),
    ],
)
def test_the_size_of_the_result_is_read(sql: str, aggregated: bool, grouped: bool, limited: bool) -> None:
    statement = analyse(sql)
    assert (statement.aggregated, statement.grouped, statement.limited) == (aggregated, grouped, limited)


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "(" * 5000, "SELECT " + "(" * 200 + "1" + ")" * 200, "SELECT a" + "[1]" * 4000, "SELECT 1" + "+1" * 60000,
     "SELECT " * 2, "", ";", "SELECT 1; SELECT 2", "VACUUM t", "\x00", "\ud800", "SELECT 'unterminated", "ABC (((", "x" * 10**6],
)  # fmt: skip
def test_what_cannot_be_analysed_is_said(sql: str) -> None:
    assert analyse(sql).problem or analyse(sql).kind
    assert isinstance(format_sql(sql), str)


def test_nesting_bombs_do_not_kill_the_process_even_on_a_small_stack() -> None:
    code = (
        "import threading; from queryproof.analyzer.sql.parse import analyse\n"
        "threading.stack_size(512 * 1024)\n"
        "bombs = ['select '+'('*n+'1'+')'*n for n in (90, 1000, 20000)] + ['select * from ('*n for n in (90, 16000)]"
        " + ['select '+'case when a then '*4000, 'select '+'not '*4900+'a', 'select '+'- '*4900+'a']\n"
        "t = threading.Thread(target=lambda: [analyse(b) for b in bombs]); t.start(); t.join(); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("alive"), done.stderr[-500:]


@given(st.text(max_size=60))
def test_any_text_is_taken(sql: str) -> None:
    analyse(sql)
    single_statement_kind(sql)


@pytest.mark.parametrize(
    ("sql", "runnable"),
    [
        ("SELECT 1", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a;", True),
        ("VALUES (1)", True),
        ("SELECT 1; SELECT 2", False),
        ("SELECT * INTO x FROM t", False),
        ("SELECT * FROM t FOR UPDATE", False),
        ("SELECT * FROM t FOR NO KEY UPDATE", False),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT * FROM a", False),
        ("CREATE TABLE x AS SELECT 1", False),
        ("DO $$ BEGIN END $$", False),
        ("INSERT INTO t VALUES (1)", False),
        ("EXPLAIN SELECT 1", False),
        ("SELECT '; DROP TABLE t'", True),
    ],
)
def test_the_guard_lets_only_single_reads_run(sql: str, runnable: bool) -> None:
    verdict = single_statement_kind(sql)
    assert verdict.runnable is runnable
    assert verdict.runnable or verdict.reason


def test_the_guard_names_the_functions_called() -> None:
    verdict = single_statement_kind('SELECT f(a), s.g(1), "H"(2), count(*) FROM t WHERE a IN (1) AND EXISTS (SELECT 1)')
    assert verdict.functions == ("H", "count", "f", "s.g")


def test_question_marks_of_sqlite_become_numbers_outside_texts_and_names() -> None:
    sql = """SELECT "a?", '?' FROM t WHERE a=? AND b IN (?, ?) -- ?"""
    assert number_question_marks(sql) == """SELECT "a?", '?' FROM t WHERE a=$1 AND b IN ($2, $3) -- ?"""
