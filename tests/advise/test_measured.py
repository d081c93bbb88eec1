"""`--prove measure`: the set is really built and measured, what does not help is taken out, and nothing is ever left behind."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from psycopg2 import OperationalError
from psycopg2.extensions import connection as Connection

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.measured_set import MeasuredSet
from queryproof.analyzer.advise.prove_set import prove_set
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import ChosenIndex, Constraints, Selection, WeightedQuery
from queryproof.analyzer.advise.set_trial import SetTrial
from queryproof.analyzer.advise.workload_costs import WorkloadCosts
from queryproof.analyzer.errors import ServerError, StatementError
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.leftovers import TRIAL_PREFIX
from queryproof.analyzer.postgres.server import Server
from queryproof.cli import main

SETUP = """
CREATE TABLE things (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, word text NOT NULL, filler text NOT NULL);
INSERT INTO things SELECT n, n % 5000, n % 3, md5(n::text), repeat('x', 100) FROM generate_series(1, 30000) n;
"""
GOOD = CandidateIndex("public", "things", "btree", (Key("a"),))
USELESS = CandidateIndex("public", "things", "btree", (Key("b"),))
USELESS_TOO = CandidateIndex("public", "things", "btree", (Key("b"), Key("word")))
WORD = CandidateIndex("public", "things", "btree", (Key("word"),))
TRIGRAM = CandidateIndex("public", "things", "gin", (Key("word", operator_class="gin_trgm_ops"),), extension="pg_trgm")
QUERY = "SELECT * FROM things WHERE a = 77"


def chosen(*indexes: CandidateIndex) -> Selection:
    return Selection(
        tuple(ChosenIndex(index, f"ix_{number}", 8192, 1.0, 0.0, ("q",)) for number, index in enumerate(indexes)),
        (), (), 2.0, 1.0,
    )  # fmt: skip


def quiet(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    return iter(items)


@pytest.fixture(scope="module")
def name(server: Server, fill: Callable[[str, str], None]) -> str:
    fill("measured", SETUP)
    root = connect(server.url("measured", "postgres"))
    with root.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_trgm")
        cursor.execute("GRANT CREATE ON DATABASE measured TO app")
    root.close()
    return "measured"


@pytest.fixture
def root(server: Server, name: str) -> Iterator[Connection]:
    connection = connect(server.url(name, "postgres"))
    yield connection
    connection.close()


@pytest.fixture
def builder(server: Server, name: str) -> Iterator[Builder]:
    url = server.url(name, "app")
    with Builder(connect(url), reconnect=lambda: connect(url)) as one:
        yield one


@pytest.fixture
def explainer(server: Server, name: str) -> Explainer:
    url = server.url(name, "app")
    return Explainer(connect(url), analyze=True, reconnect=lambda: connect(url))


def left_behind(root: Connection) -> list[str]:
    with root.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE starts_with(relname, %s)", (TRIAL_PREFIX,))
        found = [str(one) for (one,) in cursor.fetchall()]
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'")
        return found + [str(one) for (one,) in cursor.fetchall()]


def terminate(root: Connection) -> None:
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app' AND datname = 'measured'"
        )


def test_what_helps_stays_and_what_does_not_is_taken_out(
    root: Connection, builder: Builder, explainer: Explainer
) -> None:
    with SetTrial([("q", 10.0, QUERY)], builder, lambda sql: explainer.measure(sql, 3), quiet) as trial:
        found = trial.measure([USELESS, GOOD], {})
        assert len(left_behind(root)) == 1
    assert list(found.kept) == [GOOD]
    assert found.kept[GOOD].size_bytes > 100_000
    ((index, reason),) = found.taken_out
    assert index == USELESS
    assert "no query that was run used it" in reason
    (query,) = found.queries
    assert (query.after.execution_ms or 0.0) < (query.before.execution_ms or 0.0) / 1.2
    assert left_behind(root) == []


def test_others_are_chosen_in_the_place_of_what_does_not_help(
    root: Connection, builder: Builder, explainer: Explainer
) -> None:
    asked: list[set[CandidateIndex]] = []

    def select(found: MeasuredSet) -> Selection:
        asked.append(set(found.useless))
        return chosen(*(index for index in (USELESS, USELESS_TOO, GOOD) if index not in found.useless))

    with SetTrial([("q", 1.0, QUERY)], builder, lambda sql: explainer.measure(sql, 3), quiet) as trial:
        selection, found = prove_set(chosen(USELESS), select, trial)
    assert asked[0] == {USELESS}
    assert asked[1] == {USELESS, USELESS_TOO}
    assert [one.index for one in selection.chosen] == [GOOD]
    assert list(found.kept) == [GOOD]
    assert {index for index, _ in found.taken_out} == {USELESS, USELESS_TOO}
    assert left_behind(root) == []


def test_what_is_larger_than_planned_is_chosen_anew_within_the_budget(
    root: Connection, builder: Builder, explainer: Explainer
) -> None:
    sizes: list[int] = []

    def select(found: MeasuredSet) -> Selection:
        sizes.append(found.size_bytes)
        return chosen(GOOD)

    statements = [("q", 1.0, QUERY), ("r", 1.0, "SELECT * FROM things WHERE word = md5('77')")]
    with SetTrial(statements, builder, lambda sql: explainer.measure(sql, 3), quiet) as trial:
        selection, found = prove_set(chosen(GOOD, WORD), select, trial, budget_bytes=1_000_000)
        assert len(left_behind(root)) == 1
    assert sizes > [1_000_000]
    assert [one.index for one in selection.chosen] == list(found.kept) == [GOOD]
    assert found.size_bytes <= 1_000_000
    assert left_behind(root) == []


def test_a_size_that_was_measured_counts_from_then_on(server: Server, name: str) -> None:
    with HollowClone(read_source(server.url(name, "app"))) as clone:
        schema, what_if = clone.schema(), CloneWhatIf(clone)
        query = WeightedQuery("q", ((QUERY, 1.0),), 10.0)
        costs, limits = WorkloadCosts([query], what_if, schema), Constraints(budget_bytes=5_000_000)
        assert [one.index for one in select_indexes([query], [GOOD], what_if, schema, limits, costs=costs).chosen] == [
            GOOD
        ]
        costs.measured({GOOD: 6_000_000, WORD: 1})
        assert select_indexes([query], [GOOD], what_if, schema, limits, costs=costs).chosen == ()


def test_an_index_that_has_been_built_in_vain_is_not_chosen_again(server: Server, name: str) -> None:
    with HollowClone(read_source(server.url(name, "app"))) as clone:
        schema, what_if = clone.schema(), CloneWhatIf(clone)
        query = WeightedQuery("q", ((QUERY, 1.0),), 10.0)
        costs = WorkloadCosts([query], what_if, schema)
        first = select_indexes([query], [GOOD], what_if, schema, costs=costs)
        assert [one.index for one in first.chosen] == [GOOD]
        other = select_indexes([query], [GOOD], what_if, schema, banned=[GOOD], costs=costs)
        assert other.chosen == ()
        assert [one.reason for one in other.rejected] == ["it was built and measured, and did not help"]
        assert other.cost_after == other.cost_before == first.cost_before


def test_an_extension_that_the_trial_needed_is_gone_afterwards(root: Connection, server: Server, name: str) -> None:
    with Builder(connect(server.url(name, "app"))) as one, one.built(TRIGRAM) as built:
        assert built.size_bytes > 0
        assert left_behind(root) == [built.name, "pg_trgm"]
    assert left_behind(root) == []


def test_backends_killed_on_the_way_leave_nothing_and_stop_nothing(
    root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs = 0

    def measure(sql: str) -> Plan:
        nonlocal runs
        runs += 1
        if runs in (2, 3):
            terminate(root)
        return explainer.measure(sql, 1)

    statements = [("p", 1.0, QUERY), ("q", 1.0, QUERY), ("r", 1.0, QUERY)]
    with SetTrial(statements, builder, measure, quiet) as trial:
        found = trial.measure([GOOD, USELESS], {GOOD: ["p"], USELESS: ["q", "r"]})
    assert [one.what for one in found.unmeasured] == ["q", "r"]
    assert [one.fingerprint for one in found.queries] == ["p"]
    assert {index for index, _ in found.refused} == {GOOD, USELESS}
    assert found.taken_out == ()
    builder.close()
    assert left_behind(root) == []


def test_what_was_built_before_the_connection_was_lost_still_stands(root: Connection, builder: Builder) -> None:
    first = builder.build(GOOD)
    terminate(root)
    with pytest.raises(StatementError, match="was lost"):
        builder.build(USELESS)
    second = builder.build(USELESS)
    assert left_behind(root) == [first.name, second.name]
    builder.close()
    assert left_behind(root) == []


def test_a_backend_that_still_builds_after_its_connection_was_cut_is_ended(
    root: Connection, server: Server, name: str
) -> None:
    url = server.url(name, "app")
    cut = connect(url)
    lost = [ServerError("the database system is in recovery mode")] * 2

    def reconnect() -> Connection:
        if lost:
            raise lost.pop()
        return connect(url)

    with Builder(cut, reconnect=reconnect) as one:
        with cut.cursor() as cursor:
            cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}1 ON things (b)")
        one._connection = connect(url)
        one._connection.close()
        built = one.build(GOOD)
        assert left_behind(root) == [built.name]
        with pytest.raises(OperationalError), cut.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert left_behind(root) == []


def test_the_server_notices_that_a_run_is_gone(builder: Builder, root: Connection) -> None:
    if root.server_version >= 140000:
        with builder._connection.cursor() as cursor:
            cursor.execute("SHOW client_connection_check_interval")
            assert cursor.fetchone() == ("1s",)


def test_a_leftover_of_a_killed_run_is_dropped_by_the_next(root: Connection, server: Server, name: str) -> None:
    with root.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}9 ON things (b)")
    with Builder(connect(server.url(name, "app"))):
        assert left_behind(root) == []


@pytest.mark.parametrize(("role", "prove"), [("reader", "planned"), ("app", "measure")])
def test_a_leftover_is_not_taken_for_an_index_that_stands(
    root: Connection, server: Server, name: str, tmp_path: Path, role: str, prove: Literal["planned", "measure"]
) -> None:
    with root.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}9 ON things (a)")
    (tmp_path / "q.sql").write_text(QUERY)
    try:
        report = advise(
            AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(name, role), prove=prove, curve=False)
        )
        assert left_behind(root) == ([f"{TRIAL_PREFIX}9"] if prove == "planned" else [])
    finally:
        with root.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {TRIAL_PREFIX}9")
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [
        ("B-tree on things (a)", "planned" if prove == "planned" else "measured")
    ]
    told = [one.reason for one in report.skipped if TRIAL_PREFIX in one.subject]
    assert len(told) == (prove == "planned")


def test_two_runs_at_once_are_refused(server: Server, name: str, builder: Builder) -> None:
    with pytest.raises(ServerError, match="another queryproof"):
        Builder(connect(server.url(name, "app")))


def test_a_role_that_may_not_build_is_told_and_the_advice_stays_planned(
    root: Connection, server: Server, name: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text(QUERY)
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(name, "reader"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [("B-tree on things (a)", "planned")]
    assert any("42501" in one.reason for one in report.skipped)
    assert left_behind(root) == []


def test_advise_measures_and_says_so(root: Connection, server: Server, name: str, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(f"{QUERY};\nSELECT id FROM things WHERE word LIKE '%abcd%';\n")
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(name, "app"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert plan.evidence == "measured"
    assert plan.ms_after is not None
    assert plan.ms_before is not None
    assert plan.ms_after < plan.ms_before / 1.2
    assert {one.proof for one in plan.indexes} == {"measured"}, report.skipped
    assert any(one.definition == "B-tree on things (a)" for one in plan.indexes)
    assert all("queryproof_" not in one.text for one in report.plans.values())
    assert left_behind(root) == []


def test_an_index_for_a_write_stays_and_says_that_it_is_planned(
    root: Connection, server: Server, name: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text("DELETE FROM things WHERE a = 77")
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(name, "app"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [("B-tree on things (a)", "planned")]
    assert plan.taken_out == ()
    assert any("none of its queries could be run" in one.reason for one in report.skipped)
    assert left_behind(root) == []


def test_advice_is_not_lost_where_a_trial_index_cannot_be_dropped(
    root: Connection, server: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queryproof.advising.Builder", partial(Builder, lock_timeout_s=0.2))
    (tmp_path / "q.sql").write_text(QUERY)
    reader = connect(server.url(name, "reader"))
    reader.autocommit = False
    try:
        with reader.cursor() as cursor:
            cursor.execute("SELECT 1 FROM things LIMIT 1")
        arguments = ["--url", server.url(name, "app"), "--prove", "measure", "--output", str(tmp_path / "report")]
        done = CliRunner().invoke(main, ["advise", str(tmp_path / "q.sql"), *arguments])
    finally:
        reader.close()
        left = left_behind(root)
        Builder(connect(server.url(name, "app"))).close()
    assert left == [f"{TRIAL_PREFIX}1"]
    assert left_behind(root) == []
    assert done.exit_code == 2
    assert "trial indexes could not be taken away" in done.stderr
    assert "B-tree on things (a)" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


def test_a_refused_candidate_raises_and_leaves_nothing(root: Connection, builder: Builder) -> None:
    wrong = CandidateIndex("public", "things", "btree", (Key("nothing"),))
    with pytest.raises(StatementError, match="42703"), builder.built(wrong):
        pass
    assert left_behind(root) == []
