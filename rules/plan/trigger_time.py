"""trigger-time."""

from collections.abc import Iterator

from ...analyzer.plan_parts import Trigger
from ...analyzer.recommendation import Code
from ...analyzer.schema import Table
from ...analyzer.sql.identifier import quote_identifier, quote_qualified
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule
from ..remedy import number

MIN_PART = 0.1
SCAN_MS = 0.25
"""A check that takes longer has scanned; by an index it takes a few hundredths of a millisecond."""
FIRST_MS = 50.0
"""A single call that takes less may have spent it on loading and compiling the function, once a session."""


class TriggerTime(PlanRule):
    """Triggers take a good part of the statement's time; for foreign keys an index is often missing.

    ## Why it is slow
    Each deleted or changed row of a referenced table is looked for in the tables that refer to it. Without an index
    on their foreign key, that is a scan of the whole table for every row.

    ## Setup
    ```sql
    CREATE TABLE authors (id int PRIMARY KEY);
    CREATE TABLE books (id int, author_id int REFERENCES authors ON DELETE CASCADE);
    INSERT INTO authors SELECT n FROM generate_series(1, 500) n;
    INSERT INTO books SELECT n, n % 500 + 1 FROM generate_series(1, 20000) n;
    CREATE TABLE cities (id int PRIMARY KEY);
    INSERT INTO cities SELECT n FROM generate_series(1, 500) n;
    ANALYZE authors, books, cities;
    ```

    ## Bad
    ```sql
    DELETE FROM authors WHERE id <= 20
    ```

    ## Good
    ```sql
    DELETE FROM cities WHERE id <= 20
    ```
    """

    code = "PLN033"
    severity = Severity.ERROR

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        for trigger in context.plan.triggers:
            if trigger.ms is None or context.share_of_ms(trigger.ms) < MIN_PART:
                continue
            child, names = _referring(context, trigger)
            if trigger.constraint is None:
                ceiling, title = (
                    Severity.INFO if trigger.calls <= 1 and trigger.ms < FIRST_MS else Severity.WARNING,
                    f"Make the trigger {trigger.name} cheaper, or run it once a statement",
                )
                reason = "A statement-level trigger with transition tables handles all rows in one go."
            elif _scans(context, trigger, child, names):
                where = f"{child.name} ({', '.join(names)})" if child is not None else "the referring table"
                ceiling, title = Severity.ERROR, f"Index {where}, the columns of the foreign key"
                reason = "With an index, each check is a look-up."
            else:
                ceiling, title = Severity.INFO, "Write fewer rows at once, or drop the constraint while loading"
                reason = "Each check is a look-up in an index already: there is one for every row."
            missing = ceiling is Severity.ERROR and child is not None
            yield self.finding(
                context,
                None,
                f"{'The foreign key' if trigger.constraint else 'The trigger'} {trigger.name} took {number(trigger.ms)} ms in {number(trigger.calls)} calls",
                [
                    Fact("trigger", trigger.name),
                    Fact("time", trigger.ms, "ms"),
                    Fact("calls", trigger.calls),
                    Fact("foreign key", trigger.constraint is not None),
                ],
                share=context.share_of_ms(trigger.ms),
                ceiling=ceiling,
                detail=trigger.name,
                title=title,
                reason=reason,
                kind="index" if ceiling is Severity.ERROR else "sql-rewrite",
                code=[_index(child, names)] if missing and child is not None else [],
            )


def _scans(context: PlanContext, trigger: Trigger, child: Table | None, names: tuple[str, ...]) -> bool:
    """Whether each check reads the referring table from end to end. Rows written to the referring table itself are looked up
    by the key of the other one, which always has an index."""
    operations = {node.modification.operation for node in context.nodes if node.modification is not None}
    if operations == {"Insert"}:
        return False
    written = {node.relation for node in context.nodes if node.modification is not None}
    place = trigger.relation or (written.pop() if len(written) == 1 else None)
    if child is not None and place == child.name and "Delete" not in operations:
        return False
    if child is not None:
        width = len(names)
        return not any(set(index.columns[:width]) == set(names) and not index.predicate for index in child.indexes)
    return (trigger.ms or 0.0) >= SCAN_MS * max(1.0, trigger.calls)


def _referring(context: PlanContext, trigger: Trigger) -> tuple[Table | None, tuple[str, ...]]:
    """The table that holds the foreign key, and the key's columns; nothing where the catalog is not known."""
    schema = context.around.schema
    for table in schema.tables if schema is not None and trigger.constraint else ():
        for key in table.foreign_keys:
            if key.name == trigger.constraint:
                return table, key.columns
    return None, ()


def _index(child: Table, names: tuple[str, ...]) -> Code:
    table = quote_qualified(child.schema, child.name)
    return Code("DDL", "sql", f"CREATE INDEX CONCURRENTLY ON {table} ({', '.join(map(quote_identifier, names))});")
