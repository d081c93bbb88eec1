"""The whole way, once: server, migrations, seed, scenarios under the recorder, analysis with proof, report."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from queryproof.demo import run_demo
from queryproof.reports.json_report import from_json, to_json
from queryproof.reports.report import Report, ReportedFinding
from queryproof.reports.write import write_reports
from queryproof.sample_db.scenarios import SCENARIOS, Scenario


def quiet(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    return iter(items)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run_demo("small", tmp_path_factory.mktemp("report"), quiet, lambda line: None)


def findings_of(report: Report, scenario: Scenario) -> list[ReportedFinding]:
    """Findings that name the scenario's function, as their place or as the place where rows are read."""
    return [
        finding for finding in report.findings if finding.place is not None and finding.place.function == scenario.name
    ]


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.faulty], ids=lambda one: one.name)
def test_every_faulty_scenario_is_found_at_its_line(report: Report, scenario: Scenario) -> None:
    rules = {finding.rule for finding in findings_of(report, scenario)}
    assert rules == {scenario.rule}


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if not one.faulty], ids=lambda one: one.name)
def test_every_clean_twin_is_silent(report: Report, scenario: Scenario) -> None:
    assert findings_of(report, scenario) == []


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.faulty and one.shape], ids=lambda one: one.name)
def test_each_kind_of_index_is_recommended_and_measured_to_help(report: Report, scenario: Scenario) -> None:
    ids = {id_ for finding in findings_of(report, scenario) for id_ in finding.recommendations}
    (action,) = [action for action in report.recommendations if action.id in ids]
    ddl = action.code[0].text
    signs = {
        "hash": "USING hash", "GIN on an array": 'USING gin ("labels")', "GIN on jsonb": "jsonb_path_ops",
        "GIN full text": "to_tsvector", "GIN trigram": "gin_trgm_ops", "partial": "WHERE \"status\" = 'failed'",
        "composite": '("session_id", "created_at")', "covering": 'INCLUDE ("estimate")', "sort": '("score")',
    }  # fmt: skip
    assert signs.get(scenario.shape, '") ;'.replace(" ", "")[:2]) in ddl
    assert ddl.startswith('CREATE INDEX CONCURRENTLY "ix_task_refs_')
    assert action.evidence.kind == "measured"
    for query in action.evidence.queries:
        assert query.before.ms is not None
        assert query.after.ms is not None
        assert query.after.ms < query.before.ms / 1.2


def test_an_orm_edit_names_the_query_and_the_whole_chain(report: Report) -> None:
    (action,) = [
        action
        for action in report.recommendations
        if ".options(selectinload(Project.user_projects).joinedload(UserProject.user))"
        in [code.text for code in action.code]
    ]
    assert action.place is not None
    assert action.place.function == "logins_of_members"


def test_no_parameter_value_reaches_the_report(report: Report) -> None:
    text = to_json(report).decode()
    for value in ("zephyr-1", "customer-12", "quasar", "session-33", "/srv/projects/3"):
        assert value not in text


def test_plans_after_name_the_recommended_index_and_no_trial(report: Report) -> None:
    text = to_json(report).decode()
    assert "queryproof_trial" not in text
    assert "using ix_task_refs_due_at" in text


def test_the_same_report_gives_the_same_bytes(report: Report, tmp_path: Path) -> None:
    one = [path.read_bytes() for path in write_reports(report, tmp_path / "one")]
    other = [path.read_bytes() for path in write_reports(from_json(to_json(report)), tmp_path / "other")]
    assert one == other


def test_both_sources_are_used_and_time_is_counted_once(report: Report) -> None:
    assert [source.kind for source in report.sources] == ["journal", "pg_stat_statements"]
    assert report.total_ms is not None
    assert report.saved_ms is not None
    assert report.saved_ms <= report.total_ms
