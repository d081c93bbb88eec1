"""disabled-node."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_context import name as node_name
from ..plan_rule import PlanRule

DISABLED_COST = 1e10
"""What PostgreSQL 17 and earlier add to the cost of a disabled node."""


class DisabledNode(PlanRule):
    """The plan uses a kind of node that a setting has turned off: there was no other way.

    ## Why it is slow
    enable_* settings make a kind of node very expensive to the planner, not impossible. Where it is used all the
    same, the other choices around it may be distorted too.

    ## Setup
    ```sql
    CREATE TABLE lone (id int);
    INSERT INTO lone SELECT n FROM generate_series(1, 5000) n;
    ANALYZE lone;
    ```

    ## Bad
    ```sql
    SET enable_seqscan = off;
    SELECT id FROM lone
    ```

    ## Good
    ```sql
    SELECT id FROM lone
    ```
    """

    code = "PLN046"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.nodes:
            if not node.disabled and (
                node.startup_cost < DISABLED_COST or any(child.total_cost >= DISABLED_COST for child in node.children)
            ):
                continue
            off = [key for key, value in context.plan.settings if key.startswith("enable_") and value == "off"]
            yield self.finding(
                context,
                node,
                f"{node.type} on {node_name(node)} is used although it is turned off"
                + (f" ({', '.join(off)})" if off else ""),
                [Fact("settings", ", ".join(off)), Fact("cost", node.total_cost)],
                share=context.share(node),
                title=f"Reset {', '.join(off) or 'the enable_* setting'}",
                reason="These settings are for trying out; left on, they distort every plan.",
                kind="setting",
                code=[Code("Setting", "sql", f"RESET {one};") for one in off],
            )
