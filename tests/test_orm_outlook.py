"""An N+1 recorded on small tables, judged with a database that has large ones: its index, and what it costs there."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from queryproof import record
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.recommendation import Recommendation
from queryproof.reports.html.html import to_html
from queryproof.reports.report import Report
from queryproof.reports.terminal import print_report
from tests.source_edit.models import Author, Base

FILL = """
    INSERT INTO authors SELECT generate_series(1, {authors});
    INSERT INTO publishers VALUES (1);
    INSERT INTO books SELECT n, n % {authors} + 1, 1 FROM generate_series(1, {authors} * 10) n;
"""


def filled(server: Server, name: str, authors: int, *, analyzed: bool = True) -> str:
    server.create_database(name)
    url = server.url(name, "app")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        for table in Base.metadata.tables:
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
        connection.execute(text(FILL.format(authors=authors)))
        if analyzed:
            connection.execute(text("ANALYZE"))
    engine.dispose()
    return url


def shown(report: Report) -> str:
    text = io.StringIO()
    print_report(report, Console(file=text, width=200))
    return text.getvalue().replace("\u202f", " ").replace("\xa0", " ")


def of_kind(report: Report, kind: str) -> Recommendation:
    return next(one for one in report.recommendations if one.kind == kind)


@pytest.fixture(scope="module")
def journal(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("outlook") / "journal"
    engine = create_engine(filled(server, "outlook_small", 10))
    with record(directory=directory), Session(engine) as session:
        for author in session.scalars(select(Author)):
            assert len(author.books) == 10
    engine.dispose()
    return directory


def test_the_edit_and_the_index_name_each_other_and_the_cost_there_is_told(journal: Path, server: Server) -> None:
    url = filled(server, "outlook_large", 3000)
    report = analyze(AnalysisRequest(journal=journal, url=url))
    edit, index = of_kind(report, "orm-edit"), of_kind(report, "index")
    assert edit.related == (index.id,)
    assert index.related == (edit.id,)
    assert edit.prediction is not None
    assert edit.prediction.kind == "estimated"
    assert (round(edit.prediction.rows), round(edit.prediction.queries)) == (3000, 3000)
    lazy = next(one for one in report.queries if one.calls == 10)
    assert lazy.mean_ms is not None
    assert edit.prediction.ms == pytest.approx(3000 * lazy.mean_ms)
    assert lazy.plan_id in report.plans
    assert index.prediction is None
    terminal = shown(report)
    assert "at the given database's row counts: ≈ 3 000 queries" in terminal
    assert f"about the same statement: {report.recommendations.index(index) + 1}. {index.title}" in terminal
    html = to_html(report)
    assert html.count('<p>About the same statement: <a href="#action-') == 2
    assert "At the row counts of the given database: ≈ 3" in html


def test_nothing_is_told_where_row_counts_are_the_same_or_not_known(journal: Path, server: Server) -> None:
    same = analyze(AnalysisRequest(journal=journal, url=server.url("outlook_small", "app")))
    assert of_kind(same, "orm-edit").prediction is None
    unknown = analyze(AnalysisRequest(journal=journal, url=filled(server, "outlook_new", 3000, analyzed=False)))
    assert of_kind(unknown, "orm-edit").prediction is None
    alone = analyze(AnalysisRequest(journal=journal))
    assert (of_kind(alone, "orm-edit").prediction, of_kind(alone, "orm-edit").related) == (None, ())
