"""unindexed-join."""

from collections.abc import Iterator

from ..few_joined import few_joined_scans
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows_read
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number


class UnindexedJoin(PlanRule):
    """A table is read from end to end for a join that finds partners for few of its rows.

    ## Why it is slow
    Without an index on the join's key the only way to the few rows wanted is to read all of them and to hash or sort them.
    With one, each row of the other side looks its partners up.

    ## Setup
    ```sql
    CREATE TABLE carts (id int PRIMARY KEY, owner int);
    INSERT INTO carts SELECT n, n % 500 FROM generate_series(1, 5000) n;
    CREATE TABLE cart_lines (id int PRIMARY KEY, cart int, article int);
    INSERT INTO cart_lines SELECT n, n % 5000, n FROM generate_series(1, 100000) n;
    ANALYZE carts, cart_lines;
    ```

    ## Bad
    ```sql
    SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 6
    ```

    ## Good
    ```sql
    SELECT c.id, l.article FROM carts c JOIN cart_lines l ON l.cart = c.id WHERE c.id < 3000
    ```
    """

    code = "PLN053"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            if node.id in context.around.claimed:
                continue
            found = few_joined_scans(context).get(node.id)
            if found is None:
                continue
            if index := context.leading_index(node, found.columns):
                yield self.silence(context, node, f"the index {index} is there, and the planner chose to read all rows")
                continue
            yield self.finding(
                context,
                node,
                f"{number(rows_read(node))} rows of {node_name(node)} are read to find the partners of {number(found.keys)}: "
                f"{number(found.wanted)} are wanted",
                [
                    Fact("rows read", rows_read(node), "rows"),
                    Fact("rows of the other side", found.keys, "rows"),
                    Fact("rows joined", found.wanted, "rows"),
                    Fact("join", found.join.type),
                    Fact("key", ", ".join(found.columns)),
                ],
                share=context.share(*found.path),
                title=f"Index {node_name(node)} on ({', '.join(found.columns)}), so that the join looks its rows up",
                reason="By the planner's own figures the look-ups cost less than half of what reading the table does. "
                "`queryproof analyze` proves the index before you keep it.",
                kind="index",
                code=[create_index(node, found.columns)],
            )
