"""cartesian-join."""

from collections.abc import Iterator
from dataclasses import replace

from ...analyzer.plan import PlanNode
from ...analyzer.recommendation import Code, Evidence, Recommendation
from ...analyzer.schema import ForeignKey, Schema
from ...analyzer.sql.identifier import quote_identifier
from ...analyzer.sql.statement import CartesianPair
from ...analyzer.workload import QueryGroup
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..rule import Case, Rule

MANY_ROWS = 10_000


class CartesianJoin(Rule):
    """Two tables of one FROM are connected by no condition: every row of one meets every row of the other.

    ## Why it is slow
    The result has as many rows as the product of both tables, and rows that belong to nothing. A join condition is
    nearly always missing; where the product is meant, CROSS JOIN says so.

    ## Setup
    ```sql
    CREATE TABLE shops (id int PRIMARY KEY, name text);
    CREATE TABLE sales (id int PRIMARY KEY, shop_id int REFERENCES shops, total int);
    INSERT INTO shops SELECT n, 's' || n FROM generate_series(1, 50) n;
    INSERT INTO sales SELECT n, n % 50 + 1, n FROM generate_series(1, 500) n;
    ANALYZE shops, sales;
    ```

    ## Bad
    ```sql
    SELECT s.name, sum(x.total) FROM shops s, sales x WHERE x.total > 10 GROUP BY s.name
    ```

    ## Good
    ```sql
    SELECT s.name, sum(x.total) FROM shops s JOIN sales x ON x.shop_id = s.id WHERE x.total > 10 GROUP BY s.name
    ```
    """

    code = "SQL005"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Look at every pair of unconnected tables, and at what the plan makes of them."""
        for group in case.workload.groups:
            statement = case.statements.get(group.fingerprint)
            if statement is None:
                continue
            explained = case.plans.get(group.fingerprint)
            root = explained.plan.root if explained is not None and explained.plan is not None else None
            for pair in statement.cartesian:
                product = _product(root, pair) if root is not None else None
                subject = Subject(group.fingerprint, pair.left, (), pair.right)
                if product is not None and min(product[0], product[1]) <= 1:
                    yield LookedAt(self.name, subject, f"one of {pair.left} and {pair.right} gives a single row")
                    continue
                yield self._finding(group, pair, subject, product, case.schema)

    def _finding(
        self,
        group: QueryGroup,
        pair: CartesianPair,
        subject: Subject,
        product: tuple[float, float] | None,
        schema: Schema | None,
    ) -> Finding:
        rows = product[0] * product[1] if product is not None else None
        size = f": {product[0]:.0f} × {product[1]:.0f} rows" if product is not None else ""
        place = group.call_sites[0][0] if group.call_sites else None
        finding = Finding(
            rule=self.name,
            code=self.code,
            severity=Severity.ERROR if rows is not None and rows >= MANY_ROWS else self.severity,
            subject=subject,
            message=f"No condition connects {pair.left} and {pair.right}, so every row of one meets every row of the other{size}.",
            facts=(Fact("rows of the product", rows, "rows"),) if rows is not None else (),
            evidence=Evidence(
                "matched", "the statement's text" + (", confirmed by its plan" if rows is not None else "")
            ),
            at_stake_ms=group.total_ms,
            place=place,
        )
        condition = _condition(pair, schema) if schema is not None else None
        remedy = Recommendation(
            id=finding.identity,
            kind="orm-edit" if place is not None and place.in_program else "sql-rewrite",
            title=f"Join {pair.left} and {pair.right} by a condition",
            reason="The foreign key between them gives the condition."
            if condition
            else "There is no single foreign key between them that would tell the condition. Where the product is meant, "
            "write CROSS JOIN.",
            evidence=finding.evidence,
            code=(Code("Condition", "sql", condition),) if condition else (),
            settles=(finding.identity,),
            place=place,
        )
        return replace(finding, remedy=remedy)


def _product(root: PlanNode, pair: CartesianPair) -> tuple[float, float] | None:
    """Rows of both sides of the nested loop that joins the pair without any condition; None when the plan has none."""
    for node in root.walk():
        if node.type != "Nested Loop" or node.join_filter or len(node.children) < 2:
            continue
        outer, inner = node.children[:2]
        if {pair.left, pair.right} <= _relations(node) and not ({pair.left, pair.right} <= _relations(outer)):
            per_loop = inner.actual_rows if inner.actual_rows is not None else inner.plan_rows
            return outer.rows if outer.rows is not None else outer.plan_rows, per_loop
    return None


def _relations(node: PlanNode) -> set[str]:
    return {part.relation for part in node.walk() if part.relation is not None}


def _condition(pair: CartesianPair, schema: Schema) -> str | None:
    one, other = schema.table(pair.left), schema.table(pair.right)
    if one is None or other is None:
        return None
    left, right = pair.left_alias, pair.right_alias
    keys: list[tuple[str, str, ForeignKey]] = [
        (left, right, key) for key in one.foreign_keys if key.referenced_table == other.name
    ]
    keys += [(right, left, key) for key in other.foreign_keys if key.referenced_table == one.name]
    if len(keys) != 1:
        return None
    holder, referenced, key = keys[0]
    return " AND ".join(
        f"{quote_identifier(holder)}.{quote_identifier(column)} = "
        f"{quote_identifier(referenced)}.{quote_identifier(target)}"
        for column, target in zip(key.columns, key.referenced_columns, strict=True)
    )
