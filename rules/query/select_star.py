"""select-star."""

from collections.abc import Iterator
from dataclasses import replace

from ...analyzer.recommendation import Code, Evidence, Recommendation
from ...analyzer.schema import Schema, Table
from ...analyzer.sql.identifier import quote_identifier
from ...analyzer.sql.statement import Statement
from ...analyzer.workload import QueryGroup
from ..finding import Fact, Finding, LookedAt, Severity, Subject
from ..rule import Case, Rule

FEW_COLUMNS = 2
"""A table this narrow has nothing to leave out."""


class SelectStar(Rule):
    """A query asks for every column of a table by `*`.

    ## Why it is slow
    Wide and out-of-line columns are read, sent and decoded whether or not they are used; no covering index can serve
    the query; and a column added later reaches every caller unasked.

    ## Setup
    ```sql
    CREATE TABLE users (id int PRIMARY KEY, login text NOT NULL, avatar text, settings jsonb);
    INSERT INTO users VALUES (1, 'ada', 'a.png', '{}');
    ANALYZE users;
    ```

    ## Bad
    ```sql
    SELECT * FROM users WHERE id = 1
    ```

    ## Good
    ```sql
    SELECT login, avatar FROM users WHERE id = 1
    ```
    """

    code = "SQL002"
    severity = Severity.WARNING

    def check(self, case: Case) -> Iterator[Finding | LookedAt]:
        """Look at the outermost select list of every statement."""
        for group in case.workload.groups:
            statement = case.statements.get(group.fingerprint)
            if statement is None or not statement.selects_star:
                continue
            tables = _tables(statement, case.schema)
            if tables and sum(len(table.columns) for table in tables) <= FEW_COLUMNS:
                subject = Subject(group.fingerprint, tables[0].name)
                yield LookedAt(self.name, subject, f"{tables[0].name} has no more than {FEW_COLUMNS} columns")
                continue
            yield self._finding(group, statement, tables)

    def _finding(self, group: QueryGroup, statement: Statement, tables: list[Table]) -> Finding:
        subject = Subject(group.fingerprint, ", ".join(statement.tables))
        names = ", ".join(statement.tables) or "the table"
        columns = [column for table in tables for column in table.columns]
        width = sum(column.average_width or 0 for column in columns)
        facts = [Fact("columns", len(columns)), Fact("average row", width, "bytes")] if columns else []
        size = f" ({len(columns)} columns, about {width} bytes a row)" if columns else ""
        place = group.call_sites[0][0] if group.call_sites else None
        finding = Finding(
            rule=self.name,
            code=self.code,
            severity=self.severity
            if group.calls != 1 or group.total_ms is None or group.total_ms >= 1
            else Severity.INFO,
            subject=subject,
            message=f"Every column of {names} is asked for by *{size}, whether or not it is used.",
            facts=tuple(facts),
            evidence=Evidence("matched", "a pattern in the statement's text"),
            place=place,
        )
        if not columns:
            return finding
        listed = ",\n       ".join(quote_identifier(column.name) for column in columns)
        remedy = Recommendation(
            id=finding.identity,
            kind="sql-rewrite",
            title=f"Name the columns of {names} that are used",
            reason="Which of them the caller needs only its author knows: keep those and strike out the rest.",
            evidence=finding.evidence,
            code=(Code("Select list to cut down", "sql", f"SELECT {listed}"),),
            settles=(finding.identity,),
            place=place,
        )
        return replace(finding, remedy=remedy)


def _tables(statement: Statement, schema: Schema | None) -> list[Table]:
    if schema is None:
        return []
    wanted = [scan for scan in statement.scans if "" in statement.selects_star or scan.alias in statement.selects_star]
    found = [schema.table(scan.table, scan.schema) for scan in wanted if scan.columns is None]
    return [table for table in found if table is not None]
