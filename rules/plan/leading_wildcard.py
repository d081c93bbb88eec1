"""leading-wildcard."""

import re
from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ...analyzer.recommendation import Code
from ..condition import column, columns, conjuncts
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number

SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")
MIN_ROWS = 1_000.0


class LeadingWildcard(PlanRule):
    """A pattern that begins with a wildcard, or ignores case, makes the scan test every row.

    ## Why it is slow
    A B-tree can look up a known beginning only. `LIKE '%…'`, ILIKE and unanchored regular expressions need an index
    of trigrams.

    ## Setup
    ```sql
    CREATE TABLE goods (id int PRIMARY KEY, title text);
    INSERT INTO goods SELECT n, md5(n::text) || ' thing ' || n FROM generate_series(1, 40000) n;
    CREATE INDEX ON goods (title text_pattern_ops);
    ANALYZE goods;
    ```

    ## Bad
    ```sql
    SELECT id FROM goods WHERE title LIKE '%thing 777'
    ```

    ## Good
    ```sql
    SELECT id FROM goods WHERE title LIKE 'abc%'
    ```
    """

    code = "PLN024"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as(*SCANS):
            if (
                not node.filter
                or "~" not in node.filter
                or rows_read(node) < MIN_ROWS
                or (node.removed is not None and node.removed <= rows(node))
            ):
                continue
            for one in conjuncts(node.filter):
                if (
                    one.operator not in ("~~", "~~*", "~", "~*")
                    or not columns(one.left)
                    or not _unanchored(one.operator, one.right)
                ):
                    continue
                name = column(one.left) or column(re.sub(r"^\((.*)\)::text$", r"\1", one.left))
                yield self.finding(
                    context,
                    node,
                    f"{number(rows_read(node))} rows of {node_name(node)} are tested against a pattern without a known beginning",
                    [
                        Fact("column", name or without_literals(one.left)),
                        Fact("operator", {"~~": "LIKE", "~~*": "ILIKE"}.get(one.operator, one.operator)),
                        Fact("rows read", rows_read(node), "rows"),
                        Fact("rows kept", rows(node), "rows"),
                    ],
                    share=context.share(node),
                    ceiling=self.severity if selective(node) else Severity.INFO,
                    title=f"Index the trigrams of {name or 'the expression'} in {node_name(node)}",
                    reason="pg_trgm's GIN index finds patterns of three known characters or more anywhere in the text, whatever their case.",
                    kind="index",
                    code=[
                        Code("Extension", "sql", "CREATE EXTENSION IF NOT EXISTS pg_trgm;"),
                        create_index(node, [name], method="gin", suffix=" gin_trgm_ops"),
                    ]
                    if name
                    else [],
                )


def _unanchored(operator: str, pattern: str) -> bool:
    """Whether the pattern, where it is known, does not tell how matching values begin."""
    match = re.match(r"[eE]?'((?:[^']|'')*)'", pattern)
    if match is None:
        return False
    if operator == "~~*":
        return True
    if operator == "~~":
        return match[1][:1] in ("%", "_")
    return not match[1].startswith("^")
