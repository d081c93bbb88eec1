"""implicit-cast."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ..condition import cast, conjuncts
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, rows, rows_read, selective
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import create_index, number

OPERATORS = ("=", "<", ">", "<=", ">=", "<>", "~~")
TEXTS = ("text", "character varying", "varchar", "character", "bpchar", "name")
MIN_REMOVED = 1_000.0


class ImplicitCast(PlanRule):
    """The column is converted to another type before it is compared, so its index is of no use.

    ## Why it is slow
    An integer column compared with a numeric value, or a varchar with something that is not text, is converted row by
    row. The index holds the values unconverted.

    ## Setup
    ```sql
    CREATE TABLE bills (id int PRIMARY KEY, code bigint, label varchar(40));
    INSERT INTO bills SELECT n, n, 'l' || n FROM generate_series(1, 50000) n;
    CREATE INDEX ON bills (code);
    CREATE INDEX ON bills (label);
    ANALYZE bills;
    ```

    ## Bad
    ```sql
    SELECT id FROM bills WHERE code = 77.0
    ```

    ## Good
    ```sql
    SELECT id FROM bills WHERE label = 'l77'
    ```
    """

    code = "PLN023"

    @staticmethod
    def _changes(context: PlanContext, node: PlanNode, name: str, kind: str) -> bool:
        """Whether the conversion is one that an index cannot look through: varchar to text is none."""
        table = context.table(node)
        known = table.column(name) if table is not None else None
        if known is None:
            return kind not in TEXTS
        own = known.type.partition("(")[0]
        return own != kind and not (own in ("text", "character varying", "name") and kind in TEXTS)

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            if not node.type.endswith("Scan") or node.relation is None:
                continue
            # Most conditions convert no column: `)::` tells without taking them apart.
            told = [text for text in (node.filter, node.index_cond) if text and ")::" in text]
            for one in (one for text in told for one in conjuncts(text)):
                found = cast(one.left)
                if (
                    found is None
                    or one.operator not in OPERATORS
                    or found[1] == "date"
                    or not self._changes(context, node, *found)
                ):
                    continue
                if node.removed is not None and node.removed < max(MIN_REMOVED, rows(node)):
                    continue
                name, kind = found
                table = context.table(node)
                known = table.column(name) if table is not None else None
                unindexed = known is not None and context.leading_index(node, (name,)) is None
                yield self.finding(
                    context,
                    node,
                    f"{name} of {node_name(node)} is converted to {kind} in {number(rows_read(node))} rows to be compared",
                    [
                        Fact("column", name),
                        Fact("converted to", kind),
                        Fact("operator", one.operator),
                        Fact("rows read", rows_read(node), "rows"),
                        Fact("rows kept", rows(node), "rows"),
                    ],
                    share=context.share(node),
                    ceiling=self.severity if selective(node) else Severity.INFO,
                    title=f"Compare {name} with a value of its own type{f', {known.type}' if known is not None else ''}"
                    + (", and index it" if unindexed else ""),
                    reason="Bind the parameter with the column's type (in SQLAlchemy, through the mapped column or with bindparam(type_=…)), "
                    "or alter the column." + (" No index begins with it yet." if unindexed else ""),
                    code=[create_index(node, [name])] if unindexed else [],
                )
