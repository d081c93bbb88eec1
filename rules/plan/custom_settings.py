"""custom-settings."""

from collections.abc import Iterator

from ...analyzer.recommendation import Code
from ..finding import Fact, Finding, LookedAt, Severity
from ..plan_context import PlanContext
from ..plan_rule import PlanRule


class CustomSettings(PlanRule):
    """The session has turned off kinds of plan nodes.

    ## Why it is slow
    enable_* settings distort every plan of the session. They are for trying out.

    ## Setup
    ```sql
    CREATE TABLE lone (id int PRIMARY KEY);
    INSERT INTO lone SELECT n FROM generate_series(1, 5000) n;
    ANALYZE lone;
    ```

    ## Bad
    ```sql
    SET enable_hashjoin = off;
    SELECT id FROM lone
    ```

    ## Good
    ```sql
    SELECT id FROM lone
    ```
    """

    code = "PLN051"
    severity = Severity.INFO

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        off = [key for key, value in context.plan.settings if key.startswith("enable_") and value == "off"]
        if off:
            yield self.finding(
                context,
                None,
                f"The plan was made with {', '.join(off)} turned off",
                [Fact("settings", ", ".join(off))],
                share=1.0,
                title=f"Reset {', '.join(off)}",
                reason="If this is not on purpose, look for SET, ALTER ROLE … SET and ALTER DATABASE … SET.",
                kind="setting",
                code=[Code("Setting", "sql", f"RESET {one};") for one in off],
            )
