"""`--prove measure`: the set is really built and measured, what does not help is taken out, and nothing is ever left behind."""

import re
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from psycopg2.extensions import connection as Connection

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.banned import Banned, SlowRead
from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.measured_set import MeasuredSet
from queryproof.analyzer.advise.prove_set import prove_set
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import ChosenIndex, Constraints, Selection, WeightedQuery
from queryproof.analyzer.advise.set_trial import SetTrial
from queryproof.analyzer.advise.workload_costs import WorkloadCosts
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.binaries import find_tool
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.leftovers import TRIAL_PREFIX
from queryproof.analyzer.postgres.server import Server
from queryproof.cli import main
from queryproof.reports.advice_words import plan_headline
from queryproof.reports.json_report import to_json

from .things import GOOD, QUERY, USELESS, USELESS_TOO, WORD, ToldRuns, left_behind, quiet, terminate


def chosen(*indexes: CandidateIndex) -> Selection:
    return Selection(
        tuple(ChosenIndex(index, f"ix_{number}", 8192, 1.0, 0.0, ("q",)) for number, index in enumerate(indexes)),
        (), (), 2.0, 1.0,
    )  # fmt: skip


def test_others_are_chosen_in_the_place_of_what_does_not_help(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    asked: list[set[CandidateIndex]] = []

    def select(found: MeasuredSet) -> Selection:
        asked.append(set(found.useless))
        return chosen(*(index for index in (USELESS, USELESS_TOO, GOOD) if index not in found.useless))

    with SetTrial([("q", 1.0, QUERY)], builder, ToldRuns(explainer), quiet) as trial:
        selection, found = prove_set(chosen(USELESS), select, trial)
    assert asked[0] == {USELESS}
    assert asked[1] == {USELESS, USELESS_TOO}
    assert [one.index for one in selection.chosen] == [GOOD]
    assert list(found.kept) == [GOOD]
    assert {index for index, _ in found.taken_out} == {USELESS, USELESS_TOO}
    assert left_behind(things_root) == []


def test_what_is_larger_than_planned_is_chosen_anew_within_the_budget(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    sizes: list[int] = []

    def select(found: MeasuredSet) -> Selection:
        sizes.append(found.size_bytes)
        return chosen(GOOD)

    statements = [("q", 1.0, QUERY), ("r", 1.0, "SELECT * FROM things WHERE word = md5('77')")]
    with SetTrial(statements, builder, ToldRuns(explainer), quiet) as trial:
        selection, found = prove_set(chosen(GOOD, WORD), select, trial, budget_bytes=1_000_000)
        assert len(left_behind(things_root)) == 1
    assert sizes > [1_000_000]
    assert [one.index for one in selection.chosen] == list(found.kept) == [GOOD]
    assert found.size_bytes <= 1_000_000
    assert left_behind(things_root) == []


def test_a_size_that_was_measured_counts_from_then_on(server: Server, things: str) -> None:
    with HollowClone(read_source(server.url(things, "app"))) as clone:
        schema, what_if = clone.schema(), CloneWhatIf(clone)
        query = WeightedQuery("q", ((QUERY, 1.0),), 10.0)
        costs, limits = WorkloadCosts([query], what_if, schema), Constraints(budget_bytes=5_000_000)
        assert [one.index for one in select_indexes([query], [GOOD], what_if, schema, limits, costs=costs).chosen] == [
            GOOD
        ]
        costs.measured({GOOD: 6_000_000, WORD: 1})
        assert select_indexes([query], [GOOD], what_if, schema, limits, costs=costs).chosen == ()


def test_an_index_that_has_been_built_in_vain_is_not_chosen_again(server: Server, things: str) -> None:
    with HollowClone(read_source(server.url(things, "app"))) as clone:
        schema, what_if = clone.schema(), CloneWhatIf(clone)
        query = WeightedQuery("q", ((QUERY, 1.0),), 10.0)
        costs = WorkloadCosts([query], what_if, schema)
        first = select_indexes([query], [GOOD], what_if, schema, costs=costs)
        assert [one.index for one in first.chosen] == [GOOD]
        other = select_indexes([query], [GOOD], what_if, schema, banned=Banned([GOOD]), costs=costs)
        assert other.chosen == ()
        assert [one.reason for one in other.rejected] == ["it was built and measured, and did not help"]
        assert other.cost_after == other.cost_before == first.cost_before


def test_backends_killed_on_the_way_leave_nothing_and_stop_nothing(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    class Ended(ToldRuns):
        count = 0

        def measure(self, sql: str) -> Plan:
            self.count += 1
            if self.count in (2, 3):
                terminate(things_root)
            return super().measure(sql)

    statements = [("p", 1.0, QUERY), ("q", 1.0, QUERY), ("r", 1.0, QUERY)]
    with SetTrial(statements, builder, Ended(explainer), quiet) as trial:
        found = trial.measure([GOOD, USELESS], {GOOD: ["p"], USELESS: ["q", "r"]})
    assert [one.what for one in found.unmeasured] == ["q", "r"]
    assert [one.fingerprint for one in found.queries] == ["p"]
    assert {index for index, _ in found.refused} == {GOOD, USELESS}
    assert found.taken_out == ()
    builder.close()
    assert left_behind(things_root) == []


@pytest.mark.parametrize(("role", "prove"), [("reader", "planned"), ("app", "measure")])
def test_a_leftover_is_not_taken_for_an_index_that_stands(
    things_root: Connection,
    server: Server,
    things: str,
    tmp_path: Path,
    role: str,
    prove: Literal["planned", "measure"],
) -> None:
    with things_root.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}9 ON things (a)")
    (tmp_path / "q.sql").write_text(QUERY)
    try:
        report = advise(
            AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, role), prove=prove, curve=False)
        )
        assert left_behind(things_root) == ([f"{TRIAL_PREFIX}9"] if prove == "planned" else [])
    finally:
        with things_root.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {TRIAL_PREFIX}9")
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [
        ("B-tree on things (a)", "planned" if prove == "planned" else "measured")
    ]
    told = [one.reason for one in report.skipped if TRIAL_PREFIX in one.subject]
    assert len(told) == (prove == "planned")


def test_the_page_tells_how_leftovers_are_dropped_by_hand(things_root: Connection, server: Server, things: str) -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text()
    (script,) = [block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "trial" in block]
    with things_root.cursor() as cursor:
        cursor.execute(f"CREATE INDEX {TRIAL_PREFIX}9 ON things (a)")
        cursor.execute("CREATE INDEX queryproof_trial_of_ours ON things (b)")
    done = subprocess.run(
        [find_tool("psql", 18), "-X", "-v", "ON_ERROR_STOP=1", server.url(things, "postgres").replace("+psycopg2", "")],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip
    left = left_behind(things_root)
    with things_root.cursor() as cursor:
        cursor.execute("DROP INDEX queryproof_trial_of_ours")
    assert left == ["queryproof_trial_of_ours"], done.stderr


def test_a_role_that_may_not_build_is_told_and_the_advice_stays_planned(
    things_root: Connection, server: Server, things: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text(QUERY)
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, "reader"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [("B-tree on things (a)", "planned")]
    assert any("42501" in one.reason for one in report.skipped)
    assert left_behind(things_root) == []


def test_advise_measures_and_says_so(things_root: Connection, server: Server, things: str, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(f"{QUERY};\nSELECT id FROM things WHERE word LIKE '%abcd%';\n")
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, "app"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert plan.evidence == "measured"
    assert plan.ms_after is not None
    assert plan.ms_before is not None
    assert plan.ms_after < plan.ms_before / 1.2
    assert {one.proof for one in plan.indexes} == {"measured"}, report.skipped
    assert any(one.definition == "B-tree on things (a)" for one in plan.indexes)
    assert all("queryproof_" not in one.text for one in report.plans.values())
    assert left_behind(things_root) == []


def test_an_index_for_a_write_stays_and_says_that_it_is_planned(
    things_root: Connection, server: Server, things: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text("DELETE FROM things WHERE a = 77")
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, "app"), prove="measure"))
    plan = report.index_plan
    assert plan is not None
    assert [(one.definition, one.proof) for one in plan.indexes] == [("B-tree on things (a)", "planned")]
    assert plan.taken_out == ()
    assert any("none of its queries could be run" in one.reason for one in report.skipped)
    # An option of other commands.
    assert b"--analyze" not in to_json(report)
    assert left_behind(things_root) == []


def test_the_headline_counts_the_queries_that_were_run(
    things_root: Connection, server: Server, things: str, tmp_path: Path
) -> None:
    (tmp_path / "q.sql").write_text(f"{QUERY};\nSELECT id FROM things WHERE a = 78 FOR UPDATE;\n")
    report = advise(AdviceRequest(files=(tmp_path / "q.sql",), url=server.url(things, "app"), prove="measure"))
    assert report.index_plan is not None
    assert "of measured time" in plan_headline(report.index_plan)
    assert "over the 1 of 2 queries that could be run" in plan_headline(report.index_plan)
    assert left_behind(things_root) == []


def test_advice_is_not_lost_where_a_trial_index_cannot_be_dropped(
    things_root: Connection, server: Server, things: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queryproof.advising.Builder", partial(Builder, lock_timeout_s=0.2))
    (tmp_path / "q.sql").write_text(QUERY)
    reader = connect(server.url(things, "reader"))
    reader.autocommit = False
    try:
        with reader.cursor() as cursor:
            cursor.execute("SELECT 1 FROM things LIMIT 1")
        arguments = ["--url", server.url(things, "app"), "--prove", "measure", "--output", str(tmp_path / "report")]
        done = CliRunner().invoke(main, ["advise", str(tmp_path / "q.sql"), *arguments])
    finally:
        reader.close()
        left = left_behind(things_root)
        Builder(connect(server.url(things, "app"))).close()
    assert left == [f"{TRIAL_PREFIX}1"]
    assert left_behind(things_root) == []
    assert done.exit_code == 2
    assert "trial indexes could not be taken away" in done.stderr
    assert "B-tree on things (a)" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


def test_the_best_of_the_sets_that_were_measured_is_returned(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    sets = iter([chosen(USELESS_TOO), chosen(WORD)])
    with SetTrial([("q", 1.0, QUERY)], builder, ToldRuns(explainer), quiet) as trial:
        selection, found = prove_set(chosen(GOOD, USELESS), lambda _: next(sets, chosen(WORD)), trial)
    assert list(found.kept) == [GOOD]
    assert [one.index for one in selection.chosen] == [GOOD, USELESS]


def test_an_index_read_from_end_to_end_in_vain_stands_for_all_that_hold_the_same_columns() -> None:
    slow = CandidateIndex("public", "things", "btree", (Key("b"),), include=("a", "word"))
    banned = Banned([slow], [SlowRead(slow, frozenset({"a", "word"}), whole=True)])
    others = [replace(slow, keys=(Key("filler"),)), replace(slow, keys=(Key("id"), Key("a")), include=("word",))]
    assert all(one in banned for one in others)
    # In the order of what the query asks for it may be of use; without one of its columns it is not read so.
    assert replace(slow, keys=(Key("a"),), include=("word",)) not in banned
    assert replace(slow, keys=(Key("filler"),), include=("a",)) not in banned
