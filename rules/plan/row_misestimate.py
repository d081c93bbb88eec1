"""row-misestimate."""

import re
from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.literals import without_literals
from ...analyzer.recommendation import Code
from ...analyzer.sql.identifier import quote_identifier, quote_qualified
from ..condition import bare, column, columns, qualifier, unwrap
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext, misestimate, rows
from ..plan_context import name as node_name
from ..plan_rule import PlanRule
from ..remedy import analyze, number, unqualified

FACTOR = 10.0
"""From here on explain.depesz.com and pev2 colour an estimate."""
MANY = 100.0
"""Rows: with fewer than these on both sides no choice of plan matters."""
FAR, VERY_MANY = 100.0, 1_000.0
"""An estimate that is off by less, of fewer rows, is worth knowing and no more."""
JOINS = ("Nested Loop", "Hash Join", "Merge Join")
_UNIT = re.compile(r"'(?:second|minute|hour|day|week|month|quarter|year|decade|century)'")
"""A literal that names a unit is part of the expression, no value of anybody's."""
EXCLUDED = (
    "BitmapAnd",
    "BitmapOr",
    "Bitmap Index Scan",
    "ModifyTable",
    "CTE Scan",
    "WorkTable Scan",
    "Recursive Union",
    "Hash",
    "Materialize",
    "Memoize",
)
"""Nodes that count no rows, count them twice, or whose estimate is always a guess."""


class RowMisestimate(PlanRule):
    """The planner expected a row count that is wrong by a factor of ten or more, and chose the plan for it.

    ## Why it is slow
    Join order, join method and memory are all chosen for the expected number of rows. Where the error begins is the
    place to mend it: the nodes above inherit it. Stale statistics, correlated columns and expressions without
    statistics are the usual causes.

    ## Setup
    ```sql
    CREATE TABLE cars (id int, make text, model text);
    INSERT INTO cars SELECT n, 'make' || n % 100, 'model' || n % 100 FROM generate_series(1, 50000) n;
    CREATE TABLE parts (car_id int, part int);
    INSERT INTO parts SELECT n % 50000, n FROM generate_series(1, 100000) n;
    ANALYZE cars, parts;
    ```

    ## Bad
    ```sql
    SELECT count(*) FROM cars c JOIN parts p ON p.car_id = c.id WHERE c.make = 'make7' AND c.model = 'model7'
    ```

    ## Good
    ```sql
    SELECT max(p.part) FROM cars c JOIN parts p ON p.car_id = c.id
    ```
    """

    code = "PLN001"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for node in context.executed:
            factor = _factor(context, node)
            if (
                factor < FACTOR
                or max(rows(node), node.plan_rows) < MANY
                or node.type in EXCLUDED
                or not context.complete(node, shared=True)
                or _inherits(context, node)
            ):
                continue
            joins = [above for above in context.ancestors(node) if above.type in JOINS]
            share = max((context.subtree_share(join) for join in joins), default=context.subtree_share(node))
            fewer = (node.actual_rows or 0.0) < node.plan_rows
            read = node.filter or node.index_cond or node.recheck_cond
            yield self.finding(
                context,
                node,
                f"{number(node.plan_rows)} rows were expected of {node_name(node)} and {number(node.actual_rows or 0.0)} came"
                f"{' in each process' if node.processes > 1 else ''}: "
                f"the estimate is off by {number(factor)}×"
                + ("" if joins else ", with no join above that it could mislead"),
                [
                    Fact("expected rows per loop", node.plan_rows, "rows"),
                    Fact("actual rows per loop", node.actual_rows or 0.0, "rows"),
                    Fact("factor", round(factor, 1)),
                    Fact("direction", "fewer than expected" if fewer else "more than expected"),
                ]
                + ([Fact("condition", without_literals(read))] if read else []),
                share=share,
                ceiling=self.severity if joins and _misleads(node, factor) else Severity.INFO,
                title=f"Give the planner better statistics of {_tables(node)}",
                reason="ANALYZE refreshes them; for conditions on several columns, extended statistics tell how these depend on one "
                "another; for one skewed column, a larger statistics target does.",
                kind="setting",
                code=_code(node, read),
            )


def _misleads(node: PlanNode, factor: float) -> bool:
    """Whether another estimate could have led to another plan. No statistics tell how many groups pass a HAVING."""
    having = "Aggregate" in node.type and node.filter is not None
    return not having and (factor >= FAR or max(rows(node), node.plan_rows) >= VERY_MANY)


def _factor(context: PlanContext, node: PlanNode) -> float:
    """By how much the estimate is off. Of what processes share each expected a share: where fewer of them came than were
    planned, each got more."""
    factor = misestimate(node)
    if node.processes <= 1 or factor < FACTOR or node.actual_rows is None:
        return factor
    gather = next((one for one in context.ancestors(node) if one.type.startswith("Gather")), None)
    planned = 1 + (gather.workers_planned or 0) if gather is not None else node.processes
    came = node.actual_rows * node.processes / max(planned, node.processes)
    return min(factor, max(came, node.plan_rows) / max(1.0, min(came, node.plan_rows)))


def _inherits(context: PlanContext, node: PlanNode) -> bool:
    inputs = [child for child in node.children if child.parent_relationship not in ("InitPlan", "SubPlan")]
    return any(
        _factor(context, child) >= FACTOR
        for child in inputs
        if child.type not in ("BitmapAnd", "BitmapOr", "Bitmap Index Scan")
    )


def _code(node: PlanNode, read: str | None) -> list[Code]:
    if node.relation is None:
        return _of_groups(node)
    codes = [analyze(node)]
    own = (None, node.alias or node.relation)
    names = [bare(one) for one in columns(read) if qualifier(one) in own] if read else []
    if len(set(names)) > 1:
        table = quote_qualified(node.schema, node.relation)
        listed = ", ".join(quote_identifier(one) for one in dict.fromkeys(names[:8]))
        name = quote_identifier(f"st_{node.relation}"[:60])
        codes.append(
            Code(
                "Extended statistics",
                "sql",
                f"CREATE STATISTICS {name} (dependencies, ndistinct, mcv) ON {listed} FROM {table};\n{codes[0].text}",
            )
        )
    return codes


def _of_groups(node: PlanNode) -> list[Code]:
    """Statistics on the expressions that rows are grouped by, where they are of one table: without, the planner takes each
    for a constant's guess."""
    scans = [one for one in node.walk() if one.relation]
    if len(scans) != 1 or all(column(key) for key in node.group_key):
        return []
    (scan,) = scans
    keys = [unqualified(unwrap(key), scan) for key in node.group_key]
    if not all(columns(key) for key in keys) or "?" in without_literals(_UNIT.sub("", " ".join(keys))):
        return []
    listed = ", ".join(quote_identifier(bare(key)) if column(key) else f"({key})" for key in keys)
    table = quote_qualified(scan.schema, scan.relation or "?")
    name = quote_identifier(f"st_{scan.relation}"[:60])
    made = f"CREATE STATISTICS {name} ON {listed} FROM {table};\n{analyze(scan).text}"
    return [Code("Statistics on the expression (PostgreSQL 14 and later)", "sql", made)]


def _tables(node: PlanNode) -> str:
    """The tables whose statistics the estimate rests on."""
    found = dict.fromkeys(one.relation for one in node.walk() if one.relation)
    return ", ".join(found) or node_name(node)
