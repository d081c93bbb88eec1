"""The index plan in a terminal, for somebody who is tired."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..analyzer.advise.index_plan import IndexPlan, PlannedIndex
from ..analyzer.recommendation import Recommendation
from .advice_words import known_by, limits, plan_headline, shortly
from .numbers import duration, figure, plural, size, visible
from .report import Report
from .terminal import print_report

MOST_INDEXES = 20
MOST_LINES = 3
MOST_LETTERS = 80
"""Of a statement in the list of scans."""
MOST_SCANS = 6
MOST_SKIPPED = 6


def print_advice(report: Report, console: Console, paths: Sequence[Path] = ()) -> None:
    """What to add, what it brings and costs, what to drop, what stays slow and why, what was not looked at."""
    plan = report.index_plan
    if plan is None:
        print_report(report, console, paths)
        return
    actions = {action.id: action for action in report.recommendations}
    console.print()
    console.print(_plain(plan_headline(plan), "bold"))
    console.print(_plain(f"{known_by(plan)}{limits(plan)}", "dim"))
    for rank, one in enumerate(plan.indexes[:MOST_INDEXES], 1):
        replaces = [gone.name for gone in plan.dropped if one.name in gone.replaced_by]
        _print_index(console, rank, one, actions[one.recommendation], replaces)
    if len(plan.indexes) > MOST_INDEXES:
        console.print(_plain(f"\n    and {len(plan.indexes) - MOST_INDEXES} more in the report"))
    _print_dropped(console, plan, actions)
    _print_curve(console, plan)
    _print_scans(console, report, plan)
    _print_rest(console, report, plan)
    for path in paths:
        console.print(Text("Written: ", style="bold").append(visible(str(path)), style="not bold"), soft_wrap=True)


def _print_index(
    console: Console, rank: int, one: PlannedIndex, action: Recommendation, replaces: Sequence[str]
) -> None:
    """replaces: existing indexes in whose place it stands."""
    console.print()
    console.print(_plain(f"{rank:>2}. {one.definition}", "bold"))
    about = "" if one.proof == "measured" else "≈ "
    worth = f"worth {figure(100 * one.marginal)} % of the workload's cost by itself"
    if replaces and not one.marginal:
        worth = f"takes the place of {' and '.join(replaces)}"
    lines = [
        f"{worth}; serves {plural(len(one.serves), 'query', 'queries')}",
        f"{about}{size(one.size_bytes)}, {about}{duration(one.build_ms)} to build; reads and writes go on meanwhile",
    ]
    if one.write_share >= 0.0005:
        lines.append(f"its writes cost {figure(100 * one.write_share)} % of the workload")
    if one.unproven:
        lines.append(f"unproven: {shortly(one.unproven)}")
    for line in lines:
        console.print(Padding(_plain(line), (0, 0, 0, 4)))
    code = action.code[0].text.splitlines()
    for line in code[:MOST_LINES]:
        console.print(Padding(_plain(line, "cyan"), (0, 0, 0, 4)))
    if len(code) > MOST_LINES:
        left = plural(len(code) - MOST_LINES, "more statement", "more statements")
        console.print(Padding(_plain(f"… and {left}, all of them needed: see the report or --ddl"), (0, 0, 0, 4)))


def _print_dropped(console: Console, plan: IndexPlan, actions: dict[str, Recommendation]) -> None:
    if plan.dropped:
        freed = sum(one.size_bytes for one in plan.dropped)
        console.print(_plain(f"\nCan go: {plural(len(plan.dropped), 'index', 'indexes')}, {size(freed)}", "bold"))
    for one in plan.dropped[:MOST_INDEXES]:
        instead = f"; instead: {', '.join(one.replaced_by)}" if one.replaced_by else ""
        console.print(Padding(_plain(f"{one.schema}.{one.name} on {one.table}: {one.reason}{instead}"), (0, 0, 0, 4)))


def _print_curve(console: Console, plan: IndexPlan) -> None:
    if len(plan.curve) < 2 or not any(point.indexes for point in plan.curve):
        return
    table = Table(title="What a budget buys", title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("budget", "used", "indexes", "cost left"):
        table.add_column(name, justify="right")
    for point in plan.curve:
        table.add_row(
            size(point.budget_bytes), size(point.size_bytes), str(point.indexes), f"{figure(100 * point.cost)} %"
        )
    console.print()
    console.print(table)


def _short(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _print_scans(console: Console, report: Report, plan: IndexPlan) -> None:
    if not plan.kept_scans:
        return
    texts = {query.fingerprint: _short(" ".join(query.text.split())) for query in report.queries}
    console.print(_plain("\nStill read from start to end, and why", "bold"))
    for scan in plan.kept_scans[:MOST_SCANS]:
        rows = f", {figure(scan.rows)} rows" if scan.rows is not None else ""
        console.print(Padding(_plain(f"{scan.table}{rows}: {texts.get(scan.fingerprint, '')}"), (0, 0, 0, 4)))
        remedy = f". Instead: {scan.remedy}" if scan.remedy else ""
        console.print(Padding(_plain(f"{scan.reason}{remedy}", "dim"), (0, 0, 0, 8)))
    if len(plan.kept_scans) > MOST_SCANS:
        console.print(_plain(f"    and {len(plan.kept_scans) - MOST_SCANS} more in the report"))


def _print_rest(console: Console, report: Report, plan: IndexPlan) -> None:
    rewrites = [action for action in report.recommendations if action.kind == "sql-rewrite"]
    if rewrites:
        console.print(_plain("\nWhere no index helps, a rewrite does", "bold"))
    for action in rewrites[:MOST_SCANS]:
        console.print(Padding(_plain(action.title), (0, 0, 0, 4)))
    console.print()
    for one in plan.taken_out:
        console.print(_plain(f"Taken out again: {one.what}: {one.reason}", "yellow"))
    for source in report.sources:
        for note in source.notes:
            console.print(_plain(f"{source.name}: {note}", "yellow"))
    for skipped in report.skipped[:MOST_SKIPPED]:
        console.print(_plain(f"Left out: {skipped.subject}: {skipped.reason}", "yellow"))
    if len(report.skipped) > MOST_SKIPPED:
        console.print(_plain(f"and {len(report.skipped) - MOST_SKIPPED} more left out, named in the report", "yellow"))
    console.print()


def _plain(text: str, style: str = "") -> Text:
    """Text, never markup."""
    return Text(visible(text), style=style)
