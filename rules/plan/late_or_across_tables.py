"""late-or-across-tables."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import arms, columns, qualifier
from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext, rows
from ..plan_rule import PlanRule
from ..remedy import number


class LateOrAcrossTables(PlanRule):
    """An OR between columns of two tables can be tested only after they are joined.

    ## Why it is slow
    Neither table can be searched for its own half of the condition, so all rows are joined first and most thrown
    away.

    ## Setup
    ```sql
    CREATE TABLE people (id int PRIMARY KEY, name text);
    CREATE TABLE pets (id int PRIMARY KEY, owner int, name text);
    INSERT INTO people SELECT n, 'p' || n FROM generate_series(1, 5000) n;
    INSERT INTO pets SELECT n, n, 'q' || n FROM generate_series(1, 5000) n;
    CREATE INDEX ON people (name);
    CREATE INDEX ON pets (name);
    ANALYZE people, pets;
    ```

    ## Bad
    ```sql
    SELECT o.id, p.id FROM people o JOIN pets p ON p.owner = o.id WHERE o.name = 'p7' OR p.name = 'q9'
    ```

    ## Good
    ```sql
    SELECT o.id, p.id FROM people o JOIN pets p ON p.owner = o.id WHERE o.name = 'p7' AND p.name = 'q7'
    ```
    """

    code = "PLN018"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            removed = node.removed_by_join_filter
            if not node.join_filter or (removed is not None and removed <= rows(node)):
                continue
            parts = next(
                (
                    parts
                    for arm in arms(node.join_filter, "AND")
                    if len(parts := arms(arm, "OR")) > 1 and _across(parts)
                ),
                None,
            )
            if parts is None:
                continue
            yield self.finding(
                context,
                node,
                f"An OR over two tables is tested after the join: {number(node.removed_by_join_filter or 0.0)} joined rows are thrown away",
                [
                    Fact("condition", without_literals(node.join_filter)),
                    Fact("rows removed by join filter", node.removed_by_join_filter or 0.0, "rows"),
                    Fact("rows kept", rows(node), "rows"),
                    Fact("arms", len(parts)),
                ],
                share=context.subtree_share(node),
                title="Write it as a UNION of two queries, each with one half of the OR",
                reason="Each half can use its own index. UNION removes the rows that both halves find: select the primary keys too, "
                "so that it removes no others.",
            )


def _across(parts: tuple[str, ...]) -> bool:
    """Whether the arms speak of different tables."""
    named = [{qualifier(one) for one in columns(part)} - {None} for part in parts]
    return all(named) and len({frozenset(one) for one in named}) > 1
