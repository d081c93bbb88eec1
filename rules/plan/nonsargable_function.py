"""nonsargable-function."""

import re
from collections.abc import Iterator

from ...analyzer.postgres.literals import without_literals
from ..condition import Comparison, bare, cast, column, columns, conjuncts, constant, functions
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number, unqualified

SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")
OPERATORS = ("=", "<", ">", "<=", ">=", "~~", "~~*")
MIN_REMOVED = 1_000.0
DATES = ("date_trunc", "date", "to_char", "date_part", "extract", "EXTRACT", "DATE_TRUNC")


class NonsargableFunction(PlanRule):
    """A function or a calculation on the column keeps every index on it from being used.

    ## Why it is slow
    An index on `email` cannot find `lower(email) = …`: it does not hold what is compared. The condition can be turned
    so that the column stands alone, or the expression itself can be indexed.

    ## Setup
    ```sql
    CREATE TABLE mails (id int PRIMARY KEY, address text, sent timestamp);
    INSERT INTO mails SELECT n, 'User' || n || '@example.org', timestamp '2024-01-01' + n * interval '1 minute' FROM generate_series(1, 50000) n;
    CREATE INDEX ON mails (address);
    CREATE INDEX ON mails (sent);
    ANALYZE mails;
    ```

    ## Bad
    ```sql
    SELECT id FROM mails WHERE lower(address) = 'user77@example.org'
    ```

    ## Good
    ```sql
    SELECT id FROM mails WHERE sent >= timestamp '2024-01-02' AND sent < timestamp '2024-01-02' + interval '10 minutes'
    ```
    """

    code = "PLN022"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed_as(*SCANS):
            if not node.filter or (node.removed is not None and node.removed <= max(2 * rows(node), MIN_REMOVED)):
                continue
            for one in conjuncts(node.filter):
                wrapped = _wrapped(one)
                if wrapped is None:
                    continue
                names, date = wrapped
                expression = without_literals(one.left)
                yield self.finding(
                    context,
                    node,
                    f"{number(rows_read(node))} rows of {node_name(node)} are read because {expression} has to be computed for each",
                    [
                        Fact("expression", expression),
                        Fact("operator", one.operator),
                        Fact("columns", ", ".join(names)),
                        Fact("rows read", rows_read(node), "rows"),
                        Fact("rows kept", rows(node), "rows"),
                    ],
                    share=context.share(node),
                    ceiling=self.severity if selective(node) else Severity.INFO,
                    title=f"Compare {', '.join(names)} with a range"
                    if date
                    else f"Index the expression {expression}, or compare {', '.join(names)} itself",
                    reason="`>= start AND < end` on the bare column uses its index."
                    if date
                    else "An index on the expression holds what is compared; it must be written just so in the query.",
                    kind="sql-rewrite" if date else "index",
                    code=[]
                    if date or "?" in expression
                    else [create_index(node, (), expression=unqualified(one.left, node))],
                )


def _wrapped(one: Comparison) -> tuple[tuple[str, ...], bool] | None:
    """(columns inside an expression that is compared with a constant, whether it is a part of a date)."""
    if one.operator not in OPERATORS or not constant(one.right) or column(one.left) is not None:
        return None
    names = tuple(dict.fromkeys(bare(name) for name in columns(one.left)))
    if not names:
        return None
    found = cast(one.left)
    if found is not None:
        return (names, True) if found[1] == "date" else None
    called = [bare(name) for name in functions(one.left)]
    if not called and not re.search(r"[-+*/%|#]|->|\[", one.left):
        return None
    return names, any(name in DATES for name in called) or one.left.endswith("::date")
