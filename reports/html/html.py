"""Report → one self-contained HTML file: no network, nothing run but our own script, everything escaped."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ...analyzer.postgres.plan_text import title
from ...analyzer.recommendation import Recommendation
from ..advice_words import door_words, limits, plan_headline
from ..headline import headline
from ..numbers import duration, factor, figure, percent, plural, size, visible
from ..report import Report, ReportedBucket, ReportedFinding, ReportedQuery
from ..savings import savings
from .curve import curve_line, curve_points
from .markdown import blocks, prose
from .plan_tree import MOST_NODES, conditions, drawn_nodes, longest_self_ms, misestimate, remarks, text_lines

SERVED_ROWS = 200
"""Queries written as HTML; the rest travel as data and are drawn when asked for."""
MOST_ACTIONS = 200
MOST_FINDINGS = 1000
MOST_SOURCES = 3
"""Named in the first paragraph; a directory of .sql files may hold hundreds, which stand folded below it."""
MOST_REASONS = 200
"""Entries written of a list of reasons; what is left out is counted on the page and stands in report.json."""
MOST_TEXT = 20_000
MOST_REST_TEXT = 2_000
KINDS = {"index": "indexes", "orm-edit": "ORM edits", "sql-rewrite": "rewrites", "setting": "settings"}
EVIDENCE = {
    "measured": "run before and after, times compared",
    "planned": "the planner's costs compared, nothing run",
    "estimated": "worked out from counts and statistics",
    "matched": "a pattern recognised in the statement",
}


def to_html(report: Report) -> str:
    """The page. The same report gives the same text."""
    style, script = _resource("style.css"), _resource("script.js")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    rest = [_row(query) for query in report.queries[SERVED_ROWS:]]
    kinds = {action.evidence.kind for action in report.recommendations} | {one.evidence.kind for one in report.findings}
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            headline=headline(report),
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            bar=_bar(report),
            findings={finding.id: finding for finding in report.findings},
            queries={query.fingerprint: query for query in report.queries},
            pages={page.name: page for page in report.rules},
            ranks={action.id: rank for rank, action in enumerate(report.recommendations, 1)},
            evidence={kind: words for kind, words in EVIDENCE.items() if kind in kinds},
            on_node=_findings_by_node(report),
            served=report.queries[:SERVED_ROWS],
            drawn={query.fingerprint for query in report.queries[:SERVED_ROWS]},
            rest=Markup(_data(rest)),
            rest_count=len(rest),
            alone=[finding for finding in report.findings if not finding.recommendations],
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("queryproof.reports.html"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    filters: dict[str, Callable[..., Any]] = {
        "figure": figure, "duration": duration, "size": size, "visible": visible, "when": _when, "title": title,
        "cut": _cut, "prose": prose, "blocks": blocks, "sentence": _sentence, "buckets": _buckets,
        "path": _path,
        "share": lambda part, whole: round(100 * part / whole, 2) if whole else 0,
    }  # fmt: skip
    environment.filters |= filters
    environment.globals |= {
        "factor": factor, "percent": percent, "plural": plural, "gains": _gains, "misestimate": misestimate,
        "conditions": conditions, "remarks": remarks, "drawn_nodes": drawn_nodes, "text_lines": text_lines,
        "plan_headline": plan_headline, "limits": limits, "door_words": door_words, "curve_points": curve_points, "curve_line": curve_line,
        "longest_self_ms": longest_self_ms, "len": len, "set": set, "MOST_ACTIONS": MOST_ACTIONS,
        "MOST_FINDINGS": MOST_FINDINGS, "MOST_NODES": MOST_NODES, "MOST_REASONS": MOST_REASONS, "MOST_SOURCES": MOST_SOURCES,
    }  # fmt: skip
    environment.finalize = lambda value: (
        visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )
    return environment


def _resource(name: str) -> str:
    return files("queryproof.reports.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(value: object) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _cut(text: str, most: int = MOST_TEXT) -> str:
    """The text, or its beginning with a word on what is missing."""
    return (
        text if len(text) <= most else f"{text[:most]} … ({plural(len(text) - most, 'more character')} in report.json)"
    )


def _path(text: str) -> Markup:
    """The path escaped, with places where a line may break."""
    return Markup("/<wbr>").join(escape(step) for step in visible(_cut(text, 500)).split("/"))


def _sentence(text: str) -> str:
    """The text with one full stop at its end."""
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _row(query: ReportedQuery) -> list[object]:
    site = query.call_sites[0].place if query.call_sites else None
    return [
        visible(_cut(query.text, MOST_REST_TEXT)), query.total_ms, query.calls, query.p50_ms, query.p95_ms, query.max_ms,
        query.rows, visible(f"{site.file}:{site.line}") if site else "", visible(query.fingerprint), len(query.findings),
    ]  # fmt: skip


def _buckets(histogram: tuple[ReportedBucket, ...]) -> tuple[ReportedBucket, ...]:
    """The histogram without the empty buckets at both ends."""
    filled = [place for place, bucket in enumerate(histogram) if bucket.calls]
    return histogram[filled[0] : filled[-1] + 1] if filled else ()


def _bar(report: Report) -> list[tuple[str, float, str]]:
    """Parts of the recorded time: (kind, share of the whole in per cent, words)."""
    if not report.total_ms:
        return []
    parts: list[tuple[str, float, str]] = []
    left = report.total_ms
    totals = {query.fingerprint: query.total_ms or 0.0 for query in report.queries}
    saved = savings(report.recommendations, totals)
    for kind, words in KINDS.items():
        if kind in saved:
            certain = all(
                action.evidence.kind == "measured" for action in report.recommendations if action.kind == kind
            )
            share, ms = 100 * saved[kind] / report.total_ms, duration(saved[kind])
            parts.append((kind, share, f"{words}: {'' if certain else '≈ '}{ms}"))
            left -= saved[kind]
    parts.append(("stays", 100 * left / report.total_ms, f"stays: {duration(left)}"))
    return parts


def _findings_by_node(report: Report) -> dict[str, dict[int, list[ReportedFinding]]]:
    found: dict[str, dict[int, list[ReportedFinding]]] = {}
    for finding in report.findings:
        if finding.plan_node is not None and finding.subject.fingerprint is not None:
            found.setdefault(finding.subject.fingerprint, {}).setdefault(finding.plan_node, []).append(finding)
    return found


def _gains(action: Recommendation) -> list[dict[str, object]]:
    """Before and after of the query that gains most, one entry per figure known on both sides."""
    if not action.evidence.queries:
        return []
    best = max(action.evidence.queries, key=lambda one: (one.before.ms or 0.0) - (one.after.ms or 0.0))
    before, after = best.before, best.after
    approximately = "" if action.evidence.kind == "measured" else "≈ "
    rows = (
        ("queries", before.queries, after.queries, figure),
        ("time", before.ms, after.ms, duration),
        ("planner's cost", before.cost, after.cost, figure) if before.ms is None else ("", None, None, figure),
        ("buffers", before.buffers, after.buffers, figure),
        ("rows read", before.rows_read, after.rows_read, figure),
    )
    return [
        {
            "name": name, "before": show(one), "after": approximately + show(two), "factor": factor(one, two),
            "width_before": round(100 * one / max(one, two, 1e-9), 2), "width_after": round(100 * two / max(one, two, 1e-9), 2),
        }
        for name, one, two, show in rows
        if one is not None and two is not None
    ]  # fmt: skip


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
