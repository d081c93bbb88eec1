"""A node's keys: read in one go, kept in `PlanNode`'s order, and read as well as can be where a value is of another type."""

import pytest

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.plan import PlanNode
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.told_node import KEPT, ToldNode, told_node


def test_what_is_kept_stands_in_the_order_of_a_plan_node() -> None:
    kept = ToldNode.__struct_fields__[:KEPT]
    begin = PlanNode.__struct_fields__.index(kept[0])
    assert PlanNode.__struct_fields__[begin : begin + KEPT] == kept
    assert begin == PlanNode.__struct_fields__.index("actual_total_ms") + 1


def test_values_of_another_type_are_read_as_well_as_can_be() -> None:
    raw: dict[str, object] = {
        "Node Type": "Seq Scan", "Relation Name": 5, "Alias": None, "Plan Rows": "many", "Plan Width": 8.0, "Total Cost": True,
        "Actual Loops": 3, "Output": "a", "Sort Key": ["b", 1], "Parallel Aware": "yes", "Workers Planned": "2", "Filter": ["x"],
    }  # fmt: skip
    assert told_node(raw) == ToldNode(
        relation="5", plan_width=8, actual_loops=3.0, sort_key=("b", "1"), filter="['x']", plan_rows=None
    )
    node = read_plan([{"Plan": raw}]).root
    assert (node.relation, node.plan_rows, node.total_cost, node.actual_loops) == ("5", 0.0, 0.0, 3.0)


def test_a_figure_too_large_for_any_plan_is_refused() -> None:
    for figure in (1e200, 10**400, float("inf")):
        with pytest.raises(StatementError, match="out of range"):
            read_plan([{"Plan": {"Node Type": "Result", "Plan Rows": figure}}])
