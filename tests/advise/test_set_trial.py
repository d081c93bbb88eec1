"""Sets of indexes really built one after the other: what helps stays, what does not is taken out, noise decides nothing."""

from dataclasses import replace

from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.set_trial import SetTrial
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Partition

from .things import GOOD, QUERY, USELESS, WORD, ToldRuns, left_behind, quiet


def uses_an_index(plan: Plan) -> bool:
    return any(node.index is not None for node in plan.root.walk())


def slowed(plan: Plan, ms: float) -> Plan:
    return replace(plan, execution_ms=(plan.execution_ms or 0.0) + ms)


def test_what_helps_stays_and_what_does_not_is_taken_out(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    with SetTrial([("q", 10.0, QUERY)], builder, ToldRuns(explainer), quiet) as trial:
        found = trial.measure([USELESS, GOOD], {})
        assert len(left_behind(things_root)) == 1
    assert list(found.kept) == [GOOD]
    assert found.kept[GOOD].size_bytes > 100_000
    ((index, reason),) = found.taken_out
    assert index == USELESS
    assert "no query that was run used it" in reason
    (query,) = found.queries
    assert (query.after.execution_ms or 0.0) < (query.before.execution_ms or 0.0) / 1.2
    assert left_behind(things_root) == []


def test_a_plan_that_was_measured_is_not_run_again(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs: list[str] = []

    def told(sql: str, plan: Plan) -> Plan:
        runs.append(sql)
        return plan

    other = "SELECT count(*) FROM things WHERE word LIKE '%a%'"
    with SetTrial([("q", 1.0, QUERY), ("r", 1.0, other)], builder, ToldRuns(explainer, told, 1), quiet) as trial:
        trial.measure([GOOD], {})
        assert runs == [QUERY, other, QUERY]
        found = trial.measure([GOOD, USELESS], {})
        assert runs == [QUERY, other, QUERY]
        assert list(found.kept) == [GOOD]
        assert found.queries[1].after == found.queries[1].before


def test_a_moment_of_other_load_takes_no_index_out(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs: list[Plan] = []

    def told(sql: str, plan: Plan) -> Plan:
        # The second run, the first with the index, meets the load.
        runs.append(slowed(plan, 1000) if len(runs) == 1 else plan)
        return runs[-1]

    with SetTrial([("q", 10.0, QUERY)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([GOOD], {})
        assert len(left_behind(things_root)) == 1
    # Then it is run in turns: without the index, and with it.
    assert [uses_an_index(plan) for plan in runs] == [False, True, False, True]
    assert list(found.kept) == [GOOD]
    (query,) = found.queries
    assert (query.before.execution_ms, query.after.execution_ms) == (runs[2].execution_ms, runs[3].execution_ms)
    # What is told of the plan besides is counted where the time is not at stake.
    assert query.after.root.buffers


def test_a_machine_that_has_become_slower_takes_no_index_out(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs: list[Plan] = []

    def told(_: str, plan: Plan) -> Plan:
        # From the first run with the index on, everything takes a thousand times as long.
        runs.append(replace(plan, execution_ms=(plan.execution_ms or 0.0) * (1000 if runs else 1)))
        return runs[-1]

    with SetTrial([("q", 10.0, QUERY)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([GOOD], {})
    assert (runs[1].execution_ms or 0.0) > (runs[0].execution_ms or 0.0)
    assert list(found.kept) == [GOOD]


def test_a_query_that_is_left_without_an_index_takes_as_long_as_before(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs: list[Plan] = []

    def told(_: str, plan: Plan) -> Plan:
        # The first run meets a load that the later ones do not; with the index it always takes longer.
        runs.append(slowed(plan, 2000 if not runs else 1900 if uses_an_index(plan) else 1000))
        return runs[-1]

    with SetTrial([("q", 1.0, QUERY)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([GOOD], {})
    assert [index for index, _ in found.taken_out] == [GOOD]
    (query,) = found.queries
    assert query.before.execution_ms == query.after.execution_ms
    assert found.share == 1.0


def test_a_query_that_stays_as_slow_as_it_was_does_not_hide_what_another_gains(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    long = "SELECT count(*) FROM things WHERE a = 78"

    def told(sql: str, plan: Plan) -> Plan:
        return replace(plan, execution_ms=5000.0) if sql == long else plan

    with SetTrial([("q", 1.0, QUERY), ("r", 1.0, long)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([GOOD], {})
    assert list(found.kept) == [GOOD]
    assert found.taken_out == ()


def test_a_query_that_becomes_slower_takes_the_index_out_though_another_gains(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    slower = "SELECT count(*) FROM things WHERE a = 78"

    def told(sql: str, plan: Plan) -> Plan:
        uses = uses_an_index(plan)
        return replace(plan, execution_ms=(900.0 if uses else 400.0) if sql == slower else (1.0 if uses else 9000.0))

    with SetTrial([("q", 1.0, QUERY), ("r", 1.0, slower)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([GOOD], {})
    ((index, reason),) = found.taken_out
    assert index == GOOD
    assert "it made query r slower: 400 ms became 900 ms" in reason


def test_of_two_indexes_in_the_plan_of_a_query_that_becomes_slower_the_one_that_slows_it_goes(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    both = "SELECT * FROM things WHERE a = 77 UNION ALL SELECT * FROM things WHERE word = md5('77')"
    asked: list[int] = []

    def told(sql: str, plan: Plan) -> Plan:
        columns = {node.index_cond for node in plan.root.walk() if node.index is not None}
        asked.append(len(columns))
        # The one on `a` is worth more by what it saves the other query, but it is to blame for this one's.
        if sql == both:
            return replace(plan, execution_ms=900.0 if any(one == "(a = 77)" for one in columns) else 400.0)
        return replace(plan, execution_ms=10.0 if columns else 9000.0)

    with SetTrial([("q", 1.0, QUERY), ("r", 1.0, both)], builder, ToldRuns(explainer, told), quiet) as trial:
        found = trial.measure([WORD, GOOD], {})
    assert found.taken_out[0][0] == GOOD
    assert "it made query r slower: 400 ms became 900 ms" in found.taken_out[0][1]
    assert 1 in asked


def test_what_would_be_read_like_an_index_that_slows_a_query_down_is_not_selected_again(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    alone = replace(GOOD, include=("b",))

    def told(_: str, plan: Plan) -> Plan:
        return replace(plan, execution_ms=900.0 if uses_an_index(plan) else 400.0)

    statements = [("q", 1.0, "SELECT sum(b) FROM things WHERE a = 77")]
    with SetTrial(statements, builder, ToldRuns(explainer, told), quiet) as trial:
        banned = trial.measure([alone], {}).banned
        # Rows that an index only points to are another way to read them.
        pointing = trial.measure([GOOD], {}).banned
    a, b, word = Key("a"), Key("b"), Key("word")
    assert all(one in banned for one in (alone, replace(GOOD, keys=(a, b)), replace(alone, include=("b", "word"))))
    others = (GOOD, replace(GOOD, keys=(b, a)), replace(GOOD, keys=(a, word)), replace(alone, predicate="b > 1"))
    assert not any(one in banned for one in others)
    assert GOOD in pointing
    assert replace(GOOD, include=("word",)) not in pointing


def test_parts_whose_indexes_get_the_same_names_again_are_measured_again(
    things_root: Connection, builder: Builder, explainer: Explainer
) -> None:
    runs: list[Plan] = []

    def told(_: str, plan: Plan) -> Plan:
        runs.append(plan)
        return plan

    whole = CandidateIndex("public", "halves", "btree", (Key("a"),), partitions=(Partition("public", "half"),))
    partial = replace(whole, predicate="a > 50")
    with things_root.cursor() as cursor:
        cursor.execute("SET ROLE app; CREATE TABLE halves (id int, a int, filler text) PARTITION BY RANGE (id)")
        cursor.execute("CREATE TABLE half PARTITION OF halves FOR VALUES FROM (0) TO (40000)")
        cursor.execute("INSERT INTO halves SELECT id, a, filler FROM things; ANALYZE halves; RESET ROLE")
    try:
        statements = [("q", 1.0, "SELECT * FROM halves WHERE a = 77")]
        with SetTrial(statements, builder, ToldRuns(explainer, told, 1), quiet) as trial:
            for index in (whole, partial):
                assert list(trial.measure([index], {}).kept) == [index]
    finally:
        with things_root.cursor() as cursor:
            cursor.execute("DROP TABLE halves")
    assert len(runs) == 3
    assert {node.index for plan in runs[1:] for node in plan.root.walk()} >= {"half_a_idx"}


def test_an_index_that_cannot_be_dropped_now_takes_part_in_no_measurement(
    things_root: Connection, server: Server, things: str, explainer: Explainer
) -> None:
    other = "SELECT count(*) FROM things WHERE word = md5('77')"
    with Builder(connect(server.url(things, "app")), lock_timeout_s=0.2) as builder:
        reader = connect(server.url(things, "reader"))
        reader.autocommit = False

        def told(sql: str, plan: Plan) -> Plan:
            return replace(plan, execution_ms=900.0) if uses_an_index(plan) and sql == other else plan

        statements = [("q", 1.0, QUERY), ("r", 1.0, other)]
        with SetTrial(statements, builder, ToldRuns(explainer, told), quiet) as trial:
            with reader.cursor() as cursor:
                cursor.execute("SELECT 1 FROM things LIMIT 1")
            found = trial.measure([GOOD, WORD], {GOOD: ["q"], WORD: ["r"]})
            reader.close()
    assert list(found.kept) == [GOOD]
    assert [index for index, _ in found.taken_out] == [WORD]
    assert [one.fingerprint for one in found.queries] == ["q"]
    ((what, reason),) = [(one.what, one.reason) for one in found.unmeasured]
    assert what == "r"
    assert "was not dropped (55P03" in reason
    assert left_behind(things_root) == []
