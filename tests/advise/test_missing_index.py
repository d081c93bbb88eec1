"""missing-index as the advisor answers it: tables that are hard to name, proofs that are refused, and what is said of each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from queryproof.analysis import AnalysisRequest, analyze, read_statement
from queryproof.analyzer.advise.agreed import agreed
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.index_recommendation import replaced
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Index, Table
from queryproof.analyzer.sql.json_keys import with_json_keys
from queryproof.analyzer.sql.parse import analyse
from queryproof.analyzer.workload import ParameterSample, QueryGroup
from queryproof.reports.headline import headline
from queryproof.reports.report import Report

SETUP = """
CREATE SCHEMA elsewhere;
CREATE SCHEMA "Mixed Case";
CREATE TABLE elsewhere.far (id int PRIMARY KEY, a int NOT NULL, filler text NOT NULL);
INSERT INTO elsewhere.far SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 10000) n;
CREATE TABLE "Mixed Case"."Big.Table" (id int PRIMARY KEY, "Col" int NOT NULL, filler text NOT NULL);
INSERT INTO "Mixed Case"."Big.Table" SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 10000) n;
CREATE TABLE split (id int NOT NULL, day date NOT NULL, a int NOT NULL, filler text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE split_2 PARTITION OF split FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
INSERT INTO split SELECT n, date '2024-01-01' + n % 366, n % 2000, repeat('f', 100) FROM generate_series(1, 10000) n;
CREATE TABLE parent (id int, a int NOT NULL, filler text NOT NULL);
CREATE TABLE heir () INHERITS (parent);
INSERT INTO heir SELECT n, n % 2000, repeat('x', 100) FROM generate_series(1, 10000) n;
CREATE TABLE base (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, filler text NOT NULL);
INSERT INTO base SELECT n, n % 20, (n * 7919) % 10007, repeat('x', 100) FROM generate_series(1, 10000) n;
CREATE INDEX base_a ON base (a);
CREATE VIEW seen AS SELECT id, a + 0 AS c, b, filler FROM base WHERE id > 0;
"""
ASKED = {
    "SELECT * FROM elsewhere.far WHERE a = 7": 'ON "elsewhere"."far" ("a")',
    'SELECT * FROM "Mixed Case"."Big.Table" b WHERE b."Col" = 7': 'ON "Mixed Case"."Big.Table" ("Col")',
    "SELECT * FROM split WHERE a = 7": 'ON ONLY "public"."split" ("a")',
    "SELECT * FROM parent WHERE a = 7": 'ON "public"."heir" ("a")',
    "SELECT * FROM seen WHERE b = 7": 'ON "public"."base" ("b"',
}


@pytest.fixture(scope="module")
def name(fill: Callable[[str, str], None]) -> str:
    fill("missing", SETUP)
    return "missing"


def report_of(server: Server, tmp_path: Path, *statements: str, user: str = "reader", prove: str = "no") -> Report:
    (tmp_path / "q.sql").write_text(";\n".join(statements) + ";\n")
    return analyze(AnalysisRequest(files=(tmp_path / "q.sql",), url=server.url("missing", user), prove=prove))  # type: ignore[arg-type] # one of Prove


def ddl(report: Report) -> list[str]:
    return [action.code[0].text for action in report.recommendations if action.kind == "index"]


@pytest.mark.parametrize("prove", ["no", "auto"])
def test_tables_that_are_hard_to_name_are_advised(server: Server, name: str, tmp_path: Path, prove: str) -> None:
    report = report_of(server, tmp_path, *ASKED, prove=prove)
    given = "\n".join(ddl(report))
    for statement, expected in ASKED.items():
        assert expected in given, statement
    kinds = {
        "heir" in action.title: action.evidence.kind for action in report.recommendations if action.kind == "index"
    }
    known = "estimated" if prove == "no" else "planned"
    assert kinds == {True: known, False: known}
    assert len({finding.subject.table for finding in report.findings if finding.rule == "missing-index"}) == len(ASKED)
    assert not headline(report).startswith("0 ms")


CONVERTED = """
CREATE TABLE bills (id int PRIMARY KEY, code bigint NOT NULL, filler text NOT NULL);
INSERT INTO bills SELECT n, n, repeat('x', 60) FROM generate_series(1, 60000) n;
CREATE INDEX ON bills (code);
CREATE TABLE few (id int PRIMARY KEY, code int NOT NULL);
INSERT INTO few SELECT n, 13 * n FROM generate_series(1, 4000) n;
CREATE TABLE loose (id int PRIMARY KEY, code int NOT NULL, filler text NOT NULL);
INSERT INTO loose SELECT n, n % 30000, repeat('x', 60) FROM generate_series(1, 60000) n;
"""


@pytest.fixture(scope="module")
def converted(fill: Callable[[str, str], None]) -> str:
    fill("converted", CONVERTED)
    return "converted"


def test_a_scan_that_no_index_helps_is_left_to_the_rule_that_knows_why(
    server: Server, converted: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text("SELECT id FROM bills WHERE code = 77.0;")
    report = analyze(AnalysisRequest(files=(tmp_path / "q.sql",), url=server.url(converted, "reader"), analyze=True))
    (finding,) = [one for one in report.findings if one.severity != "info"]
    assert finding.rule == "implicit-cast"
    assert [one.title for one in report.recommendations] == ["Compare code with a value of its own type, bigint"]
    assert any(one.rule == "missing-index" for one in report.looked_at)


def test_a_table_read_whole_for_a_join_of_few_rows_is_indexed(server: Server, converted: str, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(
        "SELECT f.id, l.filler FROM few f JOIN loose l ON l.code = f.code WHERE f.id <= 40;\n"
        "SELECT f.id, l.filler FROM few f JOIN loose l ON l.code = f.code;"
    )
    report = analyze(AnalysisRequest(files=(tmp_path / "q.sql",), url=server.url(converted, "reader"), analyze=True))
    (finding,) = [one for one in report.findings if "join few" in one.message]
    assert finding.rule == "missing-index"
    (advice,) = [one for one in report.recommendations if one.kind == "index"]
    assert 'ON "public"."loose" ("code");' in advice.code[0].text
    assert advice.evidence.kind == "planned"
    assert not [one for one in report.findings if one.rule == "unindexed-join"]


def test_a_refused_proof_falls_back_and_says_why(server: Server, name: str, tmp_path: Path) -> None:
    report = report_of(server, tmp_path, "SELECT * FROM elsewhere.far WHERE a = 7", prove="measure")
    (action,) = [action for action in report.recommendations if action.kind == "index"]
    assert action.evidence.kind == "planned"
    assert "42501" in action.evidence.origin
    assert [finding.rule for finding in report.findings if finding.rule == "missing-index"] == ["missing-index"]


@pytest.mark.parametrize(
    ("existing", "told"),
    [
        (Index("old", "btree", ("a",)), True),
        (Index("old", "btree", ("a", '"B c"')), True),
        (Index("old", "btree", ("a",), include=("d",)), True),
        (Index("old", "btree", ("a",), include=("z",)), False),
        (Index("old", "btree", ("a",), unique=True), False),
        (Index("old", "btree", ("a",), predicate="z IS NULL"), False),
        (Index("old", "btree", ("a",), descending=(True,), nulls_first=(True,)), False),
        (Index("old", "btree", ("a",), operator_classes=("text_pattern_ops",)), False),
        (Index("old", "btree", ('"B c"',)), False),
        (Index("old", "hash", ("a",)), False),
        (Index("old", "btree", ("a",), constraint="c"), False),
        (Index("old", "btree", ("a",), clustered=True), False),
    ],
)
def test_an_index_that_does_the_work_of_an_existing_one_says_so(existing: Index, told: bool) -> None:
    table = Table("public", "t", "table", (), (existing,), (), 1.0, 1, 1)
    wide = CandidateIndex("public", "t", "btree", (Key("a"), Key("B c")), include=("d",))
    assert replaced(wide, table) == (
        ["It does all that old does: drop that one once this one is built and used."] if told else []
    )


def test_one_order_has_one_spelling() -> None:
    assert Key("a", nulls_first=False) == Key("a")
    assert Key("a", descending=True, nulls_first=True) == Key("a", descending=True)
    assert Key("a", nulls_first=True).order == " NULLS FIRST"
    assert Key("a", nulls_first=True).flipped == Key("a", descending=True, nulls_first=False)


def test_a_constant_that_only_some_calls_have_is_none() -> None:
    schema = {"t": frozenset(("a", "s"))}
    failed, done = (analyse(f"SELECT * FROM t WHERE s = '{word}' AND a = 5", schema) for word in ("failed", "done"))
    constants = {one.column: one.constant for one in agreed([failed, done]).scans[0].predicates}
    assert constants == {"s": None, "a": "5"}
    assert agreed([failed, failed]) == failed


def test_a_bound_json_key_is_an_expression_that_can_be_indexed() -> None:
    sql = "SELECT * FROM t WHERE meta ->> %(k)s = %(v)s"
    samples = tuple(ParameterSample(sql, {"k": "kind", "v": value}, 1.0, "") for value in ("x", "y"))
    group = QueryGroup("f", sql, 2, None, None, None, None, None, None, 0, (), samples, ())
    (predicate,) = read_statement(group, None).scans[0].predicates or (None,)
    assert predicate is not None
    assert predicate.expression == "meta ->> 'kind'"
    assert with_json_keys(sql, [{"k": "kind", "v": 1}, {"k": "other", "v": 1}]) == sql
    assert with_json_keys("SELECT a -> $1 -> $2", [("it's", 0)]) == "SELECT a -> 'it''s' -> 0"
