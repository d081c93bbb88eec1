"""trigger-time."""

from collections.abc import Iterator

from ...analyzer.plan_parts import Trigger
from ...analyzer.recommendation import Code
from ...analyzer.schema import Table
from ...analyzer.sql.identifier import quote_identifier
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule
from ..remedy import number

MIN_PART = 0.1


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
            child, names = _foreign_key(context, trigger)
            where = f"{child.name} ({', '.join(names)})" if child is not None else "the referring table"
            code = (
                [
                    Code(
                        "DDL",
                        "sql",
                        f"CREATE INDEX CONCURRENTLY ON {quote_identifier(child.schema)}.{quote_identifier(child.name)} "
                        f"({', '.join(map(quote_identifier, names))});",
                    )
                ]
                if child is not None
                else []
            )
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
                detail=trigger.name,
                title=f"Index {where}, the columns of the foreign key"
                if trigger.constraint
                else f"Make the trigger {trigger.name} cheaper, or run it once a statement",
                reason="With an index, each check is a look-up."
                if trigger.constraint
                else "A statement-level trigger with transition tables handles all rows in one go.",
                kind="index" if trigger.constraint else "sql-rewrite",
                code=code,
            )


def _foreign_key(context: PlanContext, trigger: Trigger) -> tuple[Table | None, tuple[str, ...]]:
    """The referring table and its columns, where the catalog knows them and no index leads with them."""
    schema = context.around.schema
    for table in schema.tables if schema is not None and trigger.constraint else ():
        for key in table.foreign_keys:
            if key.name == trigger.constraint and not any(
                set(index.columns[: len(key.columns)]) == set(key.columns) for index in table.indexes
            ):
                return table, key.columns
    return None, ()
