"""Which statements the code around them takes one row of, and refuses more."""

from dataclasses import replace

from ..analyzer.advise.unique_key import asked_by
from ..analyzer.sql.statement import Statement
from ..analyzer.workload import QueryGroup
from .row_use import row_use


def with_one_row(statement: Statement, group: QueryGroup) -> Statement:
    """The statement, its only scan marked where it asks by one column alone and the code says `.one()`, `.scalar_one_or_none()`
    or the like at one place at least: what a table holds is a rule wherever it is read. Where the statement itself makes one row
    of many (an aggregate, DISTINCT, LIMIT, EXISTS), that says nothing of the table."""
    folded = statement.aggregated or statement.grouped or statement.distinct or statement.limited
    if statement.kind == "SELECT" and (folded or not statement.has_from):
        return statement
    if len(statement.scans) != 1:
        return statement
    (scan,) = statement.scans
    # The source is looked at only where the answer can matter.
    if asked_by(scan) is None or not any(row_use(place) == "one" for place, _ in group.call_sites):
        return statement
    return replace(statement, scans=(replace(scan, one_row=True),))
