"""Cases in which other readers of plans give wrong times, on real plans: parallel nodes, InitPlans and CTEs."""

import functools
import json
from collections.abc import Iterator

import pytest

from queryproof.analyzer.plan import Plan, PlanNode
from queryproof.analyzer.postgres.plan_reader import read_plan

from .corpus import Captured, stored
from .scenario import scenarios


@functools.cache
def every() -> dict[str, list[tuple[Captured, Plan]]]:
    found: dict[str, list[tuple[Captured, Plan]]] = {}
    known = scenarios()
    for _, plans in stored():
        for one in plans:
            if known[one.scenario].theme in ("parallel", "subqueries"):
                found.setdefault(one.scenario, []).append((one, read_plan(one.plan)))
    return found


def plans(scenario: str) -> list[Plan]:
    found = [plan for _, plan in every()[scenario]]
    assert len(found) >= 2, scenario
    return found


def node(plan: Plan, type_: str, name: str | None = None) -> PlanNode:
    return next(one for one in plan.root.walk() if one.type == type_ and name in (None, one.subplan_name, one.alias, one.relation))  # fmt: skip


def self_sum(plan: Plan) -> float:
    return sum(one.self_ms or 0.0 for one in plan.root.walk())


def under_gather(node: PlanNode, processes: float = 1.0) -> Iterator[tuple[PlanNode, float]]:
    """Nodes with the number of processes that ran their side of the nearest Gather, from PostgreSQL's own loops."""
    yield node, processes
    for child in node.children:
        below = processes
        if node.type.startswith("Gather") and child.parent_relationship != "InitPlan" and child.actual_loops:
            below = child.actual_loops / (node.actual_loops or 1.0)
        yield from under_gather(child, below)


def test_the_leader_counts_only_where_it_takes_part() -> None:
    for plan in plans("parallel without its leader"):
        scan = node(plan, "Seq Scan")
        assert scan.actual_loops == node(plan, "Gather").workers_launched
        assert scan.total_ms == pytest.approx(scan.actual_total_ms)


def test_a_bitmap_is_made_by_one_process() -> None:
    for plan in plans("bitmap made by one of the processes"):
        bitmap = node(plan, "Bitmap Index Scan")
        assert bitmap.actual_loops == 1
        assert bitmap.total_ms == pytest.approx(bitmap.actual_total_ms)


def test_time_is_shared_by_the_processes_that_ran_the_node() -> None:
    """Also by fewer than were launched, as below Parallel Append."""
    fewer = 0
    for captured in every().values():
        for _, plan in captured:
            if plan.root.total_ms is None or not any(one.type.startswith("Gather") for one in plan.root.walk()):
                continue
            for one, processes in under_gather(plan.root):
                loops, time = one.actual_loops or 0.0, one.actual_total_ms or 0.0
                assert one.total_ms == pytest.approx(time * loops / max(1.0, min(processes, loops)))
                fewer += 0 < loops < processes
    assert fewer >= 3


def test_fewer_processes_may_share_a_node_that_fewer_than_all_ran() -> None:
    """Of three processes two ran a join below Parallel Append, and one of these alone filled its hash table."""

    def one(type_: str, ms: float, loops: int, *below: dict[str, object]) -> dict[str, object]:
        return {
            "Node Type": type_, "Parallel Aware": True, "Startup Cost": 0.0, "Total Cost": 1.0, "Plan Rows": 1, "Plan Width": 4,
            "Actual Startup Time": 0.0, "Actual Total Time": ms, "Actual Rows": 1, "Actual Loops": loops, "Plans": list(below),
        }  # fmt: skip

    table = one("Hash", 3.0, 2, one("Seq Scan", 5.4, 1))
    append = one("Append", 6.0, 3, one("Hash Join", 4.5, 2, one("Seq Scan", 0.75, 2), table), one("Seq Scan", 8.1, 1))
    plan = read_plan(json.dumps([{"Plan": one("Gather", 7.0, 1, append), "Planning Time": 0.1, "Execution Time": 7.1}]))
    own = [node.self_ms for node in plan.root.walk()]
    #                          Gather   Append      Hash Join   probed        Hash         filled from  alone
    assert own == pytest.approx([1.0, 6 - 3 - 2.7, 0.75 * 2 / 3, 0.75 * 2 / 3, 0.3 * 2 / 3, 5.4 / 3, 8.1 / 3])
    assert self_sum(plan) == pytest.approx(plan.root.total_ms)


def test_a_gather_that_is_run_again_has_all_its_rows() -> None:
    for plan in plans("gather run again"):
        scan = node(plan, "Seq Scan", "facts")
        assert scan.rows == pytest.approx((scan.actual_rows or 0.0) * (scan.actual_loops or 0.0))
        assert (scan.rows or 0.0) + (scan.removed or 0.0) == pytest.approx(3 * 150_000, rel=0.001)


def test_a_cte_that_nobody_reads_runs_after_the_root() -> None:
    for plan in plans("CTE that changes rows and is not read"):
        cte = node(plan, "ModifyTable")
        assert plan.root.total_ms is not None
        assert plan.root.total_ms < 1.0
        assert plan.after_plan_ms == pytest.approx(cte.total_ms)
        assert self_sum(plan) == pytest.approx(plan.root.total_ms + plan.after_plan_ms, rel=0.01, abs=0.1)
        assert plan.execution_ms == pytest.approx(plan.root.total_ms + plan.after_plan_ms, rel=0.05, abs=1.0)


def test_a_cte_read_by_two_is_paid_by_the_first() -> None:
    for plan in plans("slow CTE read twice"):
        readers = sorted(one.total_ms or 0.0 for one in plan.root.walk() if one.type == "CTE Scan")
        assert readers[0] < 5.0
        assert readers[1] >= 50.0
        assert all((one.self_ms or 0.0) < 5.0 for one in plan.root.walk() if one.type in ("CTE Scan", "Nested Loop"))
        assert sum(one.self_ms or 0.0 for one in plan.root.walk() if one.type == "Result") >= 50.0


def test_an_init_plan_is_paid_by_its_reader_not_by_the_node_that_shows_it() -> None:
    for plan in plans("a subquery shown under an aggregate and read below it"):
        shown = next(one for one in plan.root.children if one.parent_relationship == "InitPlan")
        assert (shown.self_ms or 0.0) >= 20.0
        assert (node(plan, "Function Scan").total_ms or 0.0) >= 20.0
        assert (node(plan, "Function Scan").self_ms or 0.0) < 5.0
        assert (plan.root.self_ms or 0.0) < 5.0
        assert self_sum(plan) == pytest.approx(plan.root.total_ms, rel=0.01, abs=0.1)


def test_the_tenth_init_plan_is_not_the_first() -> None:
    for plan in plans("ten subqueries of which two are slow"):
        slow = [
            one for one in plan.root.walk() if one.parent_relationship == "InitPlan" and (one.total_ms or 0.0) >= 25.0
        ]
        assert len(slow) == 2
        assert {bool("10" in (one.subplan_name or "")) for one in slow} == {True, False}
        for one in plan.root.walk():
            if one.type == "Function Scan":
                assert (one.total_ms or 0.0) >= 25.0
                assert (one.self_ms or 0.0) < 10.0
        assert self_sum(plan) == pytest.approx(plan.root.total_ms, rel=0.01, abs=0.1)


def test_a_leader_evaluates_what_its_workers_need() -> None:
    for plan in plans("parallel scan that reads a subquery's result"):
        assert self_sum(plan) == pytest.approx(plan.root.total_ms, rel=0.01, abs=0.1)
        shown = next(one for one in plan.root.walk() if one.parent_relationship == "InitPlan")
        gather = node(plan, "Gather")
        scan = node(plan, "Seq Scan", "facts")
        spent = (gather.total_ms or 0.0) + (shown.total_ms or 0.0)
        assert (scan.self_ms or 0.0) <= spent


def test_a_scan_of_a_cte_that_waits_for_an_init_plan_pays_for_it_first() -> None:
    scan = "(actual time=1.000..{0} rows=9 loops=1)"
    plan = read_plan(
        f"""Nested Loop  (cost=1.00..9.00 rows=9 width=8) {scan.format("5700.000")}
  CTE t
    ->  Finalize HashAggregate  (cost=1.00..9.00 rows=9 width=8) {scan.format("5200.000")}
          ->  Seq Scan on orders  (cost=1.00..9.00 rows=9 width=8) {scan.format("3200.000")}
  InitPlan 2 (returns $4)
    ->  Aggregate  (cost=1.00..9.00 rows=9 width=8) {scan.format("4600.000")}
          ->  CTE Scan on t t_2  (cost=1.00..9.00 rows=9 width=8) {scan.format("4400.000")}
  ->  CTE Scan on t  (cost=1.00..9.00 rows=9 width=8) {scan.format("5600.000")}
        Filter: (t.s > $4)
  ->  Seq Scan on customers c  (cost=1.00..9.00 rows=9 width=8) {scan.format("50.000")}
Execution Time: 5700.000 ms
"""
    )
    assert node(plan, "Seq Scan", "orders").self_ms == pytest.approx(3200)
    assert node(plan, "HashAggregate", "CTE t").self_ms == pytest.approx(2000)
    assert node(plan, "HashAggregate", "CTE t").partial_mode == "Finalize"
    assert node(plan, "Aggregate", "InitPlan 2 (returns $4)").self_ms == pytest.approx(200)
    assert self_sum(plan) == pytest.approx(5700)


def test_what_rounding_took_from_many_loops_is_taken_from_the_node_above() -> None:
    """0.020 ms × 2,000 loops are 40 ms, of which the scan below took 40.739: the loop above cannot have had the difference."""
    plan = read_plan(
        "Nested Loop Left Join  (cost=0.00..3520.00 rows=1 width=0) (actual time=40.0..41.669 rows=2000 loops=1)\n"
        "  ->  Seq Scan on us  (cost=0.00..31.00 rows=2000 width=4) (actual time=0.1..0.236 rows=2000 loops=1)\n"
        "  ->  Materialize  (cost=0.00..3459.01 rows=1 width=8) (actual time=0.020..0.020 rows=0 loops=2000)\n"
        "        ->  Seq Scan on ev  (cost=0.00..3459.00 rows=1 width=8) (actual time=40.7..40.739 rows=0 loops=1)\n"
    )
    own = [round(node.self_ms or 0.0, 3) for node in plan.root.walk()]
    assert own == [0.694, 0.236, 0.0, 40.739]
    assert plan.rounding_ms == 0.0
