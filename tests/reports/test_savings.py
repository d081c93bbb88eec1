"""What several actions save together."""

import dataclasses

import pytest

from queryproof.analyzer.recommendation import ActionKind, Evidence, Measurement, QueryEvidence, Recommendation
from queryproof.reports.html.html import _bar
from queryproof.reports.savings import savings

from .example import example


def action(
    kind: ActionKind, saves_ms: float | None, *queries: str, ms: tuple[float, float] | None = None
) -> Recommendation:
    before, after = (Measurement(ms=ms[0]), Measurement(ms=ms[1])) if ms else (Measurement(), Measurement())
    evidence = Evidence("estimated", "", tuple(QueryEvidence(one, before, after) for one in queries))
    return Recommendation("id", kind, "", "", evidence, (), (), saves_ms=saves_ms)


TOTALS = {"parents": 10.0, "loads": 80.0, "other": 10.0}


@pytest.mark.parametrize(
    ("actions", "saved"),
    [
        ([action("orm-edit", 85.0, "loads")], {"orm-edit": 85.0}),
        ([action("orm-edit", 60.0, "loads"), action("orm-edit", 30.0, "loads")], {"orm-edit": 90.0}),
        ([action("index", 70.0, "loads")], {"index": 70.0}),
        ([action("index", 70.0, "loads"), action("index", 30.0, "loads")], {"index": 80.0}),
        ([action("index", 70.0, "loads"), action("orm-edit", 75.0, "loads")], {"orm-edit": 75.0, "index": 5.0}),
        ([action("index", 40.0, "loads", "other", ms=(4, 1))], {"index": 40.0}),
        ([action("sql-rewrite", 9.0), action("index", None, "loads")], {"sql-rewrite": 9.0}),
        ([action("orm-edit", 85.0, "loads"), action("sql-rewrite", 20.0, "elsewhere")], {"orm-edit": 85.0, "sql-rewrite": 15.0}),
        ([], {}),
    ],
)  # fmt: skip
def test_each_millisecond_is_counted_once(actions: list[Recommendation], saved: dict[str, float]) -> None:
    assert savings(actions, TOTALS) == pytest.approx(saved)


def test_the_bar_and_the_headline_have_one_source() -> None:
    report = example(1)
    totals = {query.fingerprint: query.total_ms or 0.0 for query in report.queries}
    total = sum(totals.values())
    report = dataclasses.replace(report, total_ms=total, saved_ms=sum(savings(report.recommendations, totals).values()))
    assert report.saved_ms
    assert sum(share for kind, share, _ in _bar(report) if kind != "stays") == pytest.approx(
        100 * report.saved_ms / total
    )
