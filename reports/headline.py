"""The report in one sentence."""

from .advice_words import plan_headline
from .numbers import duration, plural
from .report import Report

_KINDS = (("index", "index", "indexes"), ("orm-edit", "ORM edit", "ORM edits"), ("sql-rewrite", "rewrite", "rewrites"),
          ("setting", "setting", "settings"))  # fmt: skip


def headline(report: Report) -> str:
    """What can be saved by how many actions, and how many of those were measured; or that all is fine."""
    if report.index_plan is not None:
        return plan_headline(report.index_plan)
    actions = report.recommendations
    if not actions:
        if report.findings:
            return f"{plural(len(report.findings), 'finding')}, and no action that is known to help."
        return f"Nothing to change: {plural(len(report.queries), 'distinct statement')} examined, no finding."
    counted = [(sum(1 for action in actions if action.kind == kind), one, many) for kind, one, many in _KINDS]
    listed = ", ".join(plural(count, one, many) for count, one, many in counted if count)
    measured = sum(1 for action in actions if action.evidence.kind == "measured")
    known = f"; {plural(measured, 'of them', 'of them')} measured" if measured else "; none of them measured"
    if report.total_ms and report.saved_ms:
        about = "" if all(action.evidence.kind == "measured" for action in actions if action.saves_ms) else "≈ "
        return f"{about}{duration(report.saved_ms)} of {duration(report.total_ms)} of database time can go: {listed}{known}."
    return f"{plural(len(actions), 'action')} recommended: {listed}{known}."
