"""Relationships that are loaded by refreshing instances one by one, as `session.refresh(author, ["books"])` does."""

from collections.abc import Sequence

from ..analyzer.recommendation import Code
from ..analyzer.workload import Execution
from .finding import Fact, Finding
from .loader_option import loader_option
from .orm_rule import OrmRule, sites, with_remedy
from .recorded import Recorded


def refreshed_loads(recorded: Recorded, executions: Sequence[Execution]) -> list[Execution]:
    """Loads of the relationships that `refresh(instance, ["books"])` names."""
    wanted = {
        (one.process, one.orm.parent): one.orm.attributes
        for one in executions
        if one.orm is not None and one.orm.kind == "refresh" and one.orm.origin_sequence is not None
    }
    return [
        one
        for one in recorded.loads("eager")
        if one.orm is not None
        and one.orm.parent is not None
        and len(one.orm.path) == 1
        and one.orm.path[0].rpartition(".")[2] in wanted.get((one.process, one.orm.parent), ())
    ]


def refreshed_relationships(rule: OrmRule, executions: Sequence[Execution], related: Sequence[Execution]) -> Finding:
    """The finding for refreshes and the loads that hang on them: the query can bring the relationships along."""
    first = related[0].orm
    assert first is not None
    paths = {one.orm.path: one.orm for one in related if one.orm is not None}
    named = " and ".join(sorted(path[-1] for path in paths))
    count = len(executions) + len(related)
    finding = rule.finding(
        executions, executions[0].call_site, f"refresh {named}",
        f"{len(executions)} instances of {first.root} are refreshed one by one to load {named}: {count} queries where "
        f"{len(paths)} would do.",
        (Fact("queries in all", count, "queries"), Fact("read at", sites(executions))),
        worst=count,
    )  # fmt: skip
    options = [loader_option(path, load.to_many, [load], first.origin, "query").text for path, load in paths.items()]
    place = first.origin
    where = f"Option for the query at {place.file}:{place.line}" if place is not None else "Option for the query"
    mean = (finding.at_stake_ms or 0.0) / count
    return with_remedy(
        finding, f"Load {named} with the query, and leave the refresh out",
        "A refresh of a relationship reads the instance again and then the relationship, for each instance.",
        [Code(where, "python", f".options({', '.join(options)})")],
        before=count, after=len(paths), saves_ms=(finding.at_stake_ms or 0.0) - mean * len(paths),
    )  # fmt: skip
