"""contains-without-gin."""

from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import column, columns, conjuncts
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number

OPERATORS = ("@>", "<@", "?", "?|", "?&", "@@", "&&", "@?")
MIN_ROWS = 1_000.0


class ContainsWithoutGin(PlanRule):
    """A search inside jsonb, arrays or texts tests every row because no GIN index serves it.

    ## Why it is slow
    `@>`, `?`, `&&` and `@@` ask what a value contains. Only an inverted index (GIN, or GiST for ranges) can look that
    up.

    ## Setup
    ```sql
    CREATE TABLE docs (id int PRIMARY KEY, body jsonb, tags int[]);
    INSERT INTO docs SELECT n, jsonb_build_object('k', n), ARRAY[n, n + 1] FROM generate_series(1, 20000) n;
    CREATE INDEX ON docs USING gin (tags);
    ANALYZE docs;
    ```

    ## Bad
    ```sql
    SELECT id FROM docs WHERE body @> '{"k": 77}'
    ```

    ## Good
    ```sql
    SELECT id FROM docs WHERE tags @> ARRAY[77]
    ```
    """

    code = "PLN025"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as("Seq Scan"):
            if (
                not node.filter
                or (node.removed is not None and node.removed <= 2 * rows(node))
                or rows_read(node) < MIN_ROWS
            ):
                continue
            for one in conjuncts(node.filter):
                if one.operator not in OPERATORS or not columns(one.left) + columns(one.right):
                    continue
                name = column(one.left)
                table = context.table(node)
                known = table.column(name) if table is not None and name else None
                ranges = known is not None and "range" in known.type
                suffix = (
                    " jsonb_path_ops"
                    if one.operator in ("@>", "@?", "@@")
                    and ("::jsonb" in one.right or (known is not None and known.type == "jsonb"))
                    else ""
                )
                yield self.finding(
                    context,
                    node,
                    f"{number(rows_read(node))} rows of {node_name(node)} are searched for what they contain ({one.operator})",
                    [
                        Fact("column", name or without_literals(one.left)),
                        Fact("operator", one.operator),
                        Fact("rows read", rows_read(node), "rows"),
                        Fact("rows kept", rows(node), "rows"),
                    ],
                    share=context.share(node),
                    ceiling=self.severity if selective(node) else Severity.INFO,
                    title=f"Add a {'GiST' if ranges else 'GIN'} index on {name or 'the expression'} of {node_name(node)}",
                    reason="An inverted index leads from what is searched to the rows that contain it; jsonb_path_ops is smaller where only @> is asked.",
                    kind="index",
                    code=[create_index(node, [name], method="gist" if ranges else "gin", suffix=suffix)]
                    if name
                    else [],
                )
