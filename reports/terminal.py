"""The summary in a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ..analyzer.recommendation import Recommendation
from .headline import headline
from .numbers import duration, factor, figure, plural, visible
from .report import Report

MOST_ACTIONS = 12
MOST_FINDINGS = 8
MOST_SKIPPED = 4
MOST_VARIANTS = 4
MOST_CHANGED_LINES = 8


COMMAND, ADDED, REMOVED = "cyan", "bright_green", "red"
CODE = frozenset((COMMAND, ADDED, REMOVED))
"""Styles of lines that are text to copy."""


def print_report(report: Report, console: Console, paths: Sequence[Path] = ()) -> None:
    """Headline, actions best first, findings without an action, what was not looked at, and where the report is."""
    console.print()
    console.print(_plain(headline(report), "bold"))
    for rank, action in enumerate(report.recommendations[:MOST_ACTIONS], 1):
        console.print()
        console.print(_plain(f"{rank:>2}. {action.title}", "bold"))
        for line, style in _lines(report, action):
            if style in CODE:
                # Text to copy stays on its line, whatever the width.
                console.print(_plain(f"    {line}", style), soft_wrap=True)
            else:
                console.print(Padding(_plain(line, style), (0, 0, 0, 4), expand=False))
    if len(report.recommendations) > MOST_ACTIONS:
        console.print(_plain(f"\n    and {len(report.recommendations) - MOST_ACTIONS} more actions in the report"))
    _print_findings(report, console)
    _print_rest(report, console)
    for path in paths:
        console.print(Text("Report: ", style="bold").append(visible(str(path)), style="not bold"), soft_wrap=True)


def _lines(report: Report, action: Recommendation) -> list[tuple[str, str]]:
    findings = {finding.id: finding for finding in report.findings}
    severities = sorted({findings[key].severity for key in action.settles if key in findings}, key=lambda one: one.rank)
    lines = [
        (
            f"{', '.join([action.evidence.kind, *severities])}{_gain(action)}",
            "green" if action.evidence.kind == "measured" else "",
        )
    ]
    if action.saves_ms is not None and report.total_ms:
        about = "" if action.evidence.kind == "measured" else "≈ "
        lines.append((f"saves {about}{duration(action.saves_ms)} of {duration(report.total_ms)} recorded", ""))
    if action.place is not None:
        lines.append((f"at {action.place.file}:{action.place.line} in {action.place.function or 'the file'}", ""))
    if action.prediction is not None:
        ahead = action.prediction
        many = f"≈ {figure(round(ahead.queries))} queries, ≈ {duration(ahead.ms)}"
        lines.append((f"at the given database's row counts: {many} each time ({ahead.kind})", ""))
    titles = {other.id: f"{rank}. {other.title}" for rank, other in enumerate(report.recommendations, 1)}
    lines += [(f"about the same statement: {titles[other]}", "") for other in action.related if other in titles]
    if action.code:
        lines += _diff(action.code[0].text) if action.code[0].language == "diff" else _code(action.code[0].text)
    return lines


def _code(text: str) -> list[tuple[str, str]]:
    return [(line, COMMAND) for line in text.splitlines()[:3]]


def _diff(text: str) -> list[tuple[str, str]]:
    """The changed lines of a diff; of a long one those at its end, because imports stand at the top."""
    parts: list[list[str]] = []
    for line in text.split("\n"):
        if line.startswith("@@"):
            parts.append([])
        elif line[:1] in ("+", "-") and parts:
            parts[-1].append(line.rstrip("\r"))
    left = [("…", "")] if len(parts) > 1 and sum(map(len, parts)) > MOST_CHANGED_LINES else []
    changed = [line for part in parts[len(left) :] for line in part]
    lines = [(line, ADDED if line[0] == "+" else REMOVED) for line in changed[:MOST_CHANGED_LINES]]
    return [*left, *lines, ("…", "")] if len(changed) > MOST_CHANGED_LINES else [*left, *lines]


def _gain(action: Recommendation) -> str:
    if not action.evidence.queries:
        return ""
    first = max(action.evidence.queries, key=lambda one: (one.before.ms or 0.0) - (one.after.ms or 0.0))
    before, after = first.before, first.after
    if before.queries is not None and after.queries is not None:
        measured = before.ms is not None and after.ms is not None
        times = f", {duration(before.ms)} → {duration(after.ms)}" if measured else ""
        return f"  {figure(before.queries)} queries → {'' if measured else '≈ '}{figure(after.queries)}{times}"
    if before.ms is not None and after.ms is not None:
        about = "" if action.evidence.kind == "measured" else "≈ "
        return f"  {duration(before.ms)} → {about}{duration(after.ms)}, {factor(before.ms, after.ms)}"
    if before.cost is not None and after.cost is not None:
        return f"  planner's cost {figure(before.cost)} → {figure(after.cost)}, {factor(before.cost, after.cost)}"
    if before.rows_read is not None and after.rows_read is not None:
        return f"  {figure(before.rows_read)} rows read → ≈ {figure(after.rows_read)}"
    return ""


def _print_findings(report: Report, console: Console) -> None:
    alone = [finding for finding in report.findings if not finding.recommendations]
    if not alone:
        return
    console.print(_plain("\nFindings without a known remedy", "bold"))
    for finding in alone[:MOST_FINDINGS]:
        console.print(
            Padding(_plain(f"{finding.severity}  {finding.code} {finding.rule}: {finding.message}"), (0, 0, 0, 4))
        )
        if finding.place is not None:
            console.print(Padding(_plain(f"at {finding.place.file}:{finding.place.line}"), (0, 0, 0, 8)))
    if len(alone) > MOST_FINDINGS:
        console.print(_plain(f"    and {len(alone) - MOST_FINDINGS} more in the report"))


def _print_rest(report: Report, console: Console) -> None:
    console.print()
    for sentence in report.examined:
        console.print(_plain(f"Examined: {sentence}", "dim"))
    differing = [query for query in report.queries if query.variants]
    for query in differing[:MOST_VARIANTS]:
        statement = " ".join(query.text.split())
        origins = "; ".join([query.parameters_origin, *(variant.origin for variant in query.variants)])
        console.print(_plain(f"The plan differs by value: {statement[:100]}  ({origins})", "yellow"))
    if len(differing) > MOST_VARIANTS:
        console.print(_plain(f"and {len(differing) - MOST_VARIANTS} more whose plan differs by value", "yellow"))
    if report.looked_at:
        console.print(
            _plain(
                f"{plural(len(report.looked_at), 'case')} looked at and left alone, with the reason in the report",
                "dim",
            )
        )
    for skipped in report.skipped[:MOST_SKIPPED]:
        console.print(_plain(f"Not looked at: {skipped.subject}: {skipped.reason}", "yellow"))
    if len(report.skipped) > MOST_SKIPPED:
        console.print(_plain(f"and {len(report.skipped) - MOST_SKIPPED} more not looked at", "yellow"))
    for source in report.sources:
        for note in source.notes:
            console.print(_plain(f"{source.name}: {note}", "yellow"))
    console.print()


def _plain(text: str, style: str = "") -> Text:
    """Text, never markup: brackets and escapes in a table's name must not steer the terminal."""
    return Text(visible(text), style=style)
