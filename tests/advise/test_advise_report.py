"""What the report of advise says where indexes were kept out by limits, where nothing could be planned, and of literals."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from queryproof.advising import AdviceRequest, advise
from queryproof.analyzer.advise.selection_types import Constraints
from queryproof.analyzer.postgres.server import Server
from queryproof.cli import main
from queryproof.reports.advice_terminal import print_advice
from queryproof.reports.advice_words import SECURED, plan_headline
from queryproof.reports.html.html import to_html
from queryproof.reports.json_report import to_json

SETUP = """
CREATE TABLE deeds (id int PRIMARY KEY, buyer int NOT NULL, town text NOT NULL, filler text NOT NULL);
INSERT INTO deeds SELECT n, n % 4000, CASE WHEN n % 300 = 0 THEN 'Hidden Hollow' WHEN n % 2 = 0 THEN 'Big City' ELSE 'Old Town' END,
  repeat('x', 100) FROM generate_series(1, 20000) n;
CREATE TABLE plots (id int PRIMARY KEY, owner int NOT NULL, filler text NOT NULL);
INSERT INTO plots SELECT n, n % 4000, repeat('y', 100) FROM generate_series(1, 20000) n;
CREATE TABLE walled (id int PRIMARY KEY, tenant int NOT NULL, labels text[] NOT NULL, filler text NOT NULL);
INSERT INTO walled SELECT n, n % 40, ARRAY['l' || n % 5000], repeat('z', 100) FROM generate_series(1, 20000) n;
ALTER TABLE walled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON walled USING (tenant = current_setting('app.tenant', true)::int);
CREATE FUNCTION owned(int) RETURNS SETOF plots LANGUAGE sql STABLE AS 'SELECT * FROM plots WHERE owner = $1';
"""


@pytest.fixture(scope="module")
def url(server: Server, fill: Callable[[str, str], None]) -> str:
    fill("advice_report", SETUP)
    return server.url("advice_report", "reader")


def written(place: Path, text: str) -> tuple[Path, ...]:
    (place / "q.sql").write_text(text)
    return (place / "q.sql",)


def test_a_scan_that_only_a_limit_keeps_is_not_called_the_cheaper_way(url: str, tmp_path: Path) -> None:
    files = written(tmp_path, "SELECT * FROM deeds WHERE buyer = 7;\nSELECT * FROM plots WHERE owner = 7;\n")
    report = advise(AdviceRequest(files=files, url=url, constraints=Constraints(max_indexes=1), curve=False))
    plan = report.index_plan
    assert plan is not None
    assert len(plan.indexes) == 1
    (scan,) = plan.kept_scans
    assert "saves less than the chosen indexes" in scan.reason


def test_a_scan_that_only_a_limit_keeps_from_an_index_on_an_expression_is_not_called_cheaper_either(
    url: str, tmp_path: Path
) -> None:
    files = written(tmp_path, "SELECT * FROM deeds WHERE buyer = 7;\nSELECT * FROM plots WHERE owner % 3000 = 7;\n")
    report = advise(AdviceRequest(files=files, url=url, constraints=Constraints(max_indexes=1), curve=False))
    assert report.index_plan is not None
    (scan,) = report.index_plan.kept_scans
    assert scan.table == "plots"
    assert "saves less than the chosen indexes" in scan.reason


def test_an_index_on_a_table_with_row_security_is_called_unproven(url: str, tmp_path: Path) -> None:
    files = written(tmp_path, "SELECT * FROM walled WHERE labels @> '{l7}';\nSELECT * FROM deeds WHERE buyer = 7;\n")
    report = advise(AdviceRequest(files=files, url=url, curve=False))
    assert report.index_plan is not None
    unproven = {one.table: one.unproven for one in report.index_plan.indexes}
    assert (unproven["walled"], unproven["deeds"]) == (SECURED, "")
    (action,) = (one for one in report.recommendations if "walled" in one.title)
    assert SECURED in action.reason
    out = io.StringIO()
    print_advice(report, Console(file=out, width=200))
    assert "unproven: the table has row security" in out.getvalue()


def test_where_a_budget_allows_none_it_is_not_said_that_none_would_help(url: str, tmp_path: Path) -> None:
    files = written(tmp_path, "SELECT * FROM deeds WHERE buyer = 7;\n")
    report = advise(AdviceRequest(files=files, url=url, constraints=Constraints(budget_bytes=0), curve=False))
    assert report.index_plan is not None
    assert "no index that the limits allow would make" in plan_headline(report.index_plan)
    (scan,) = report.index_plan.kept_scans
    assert scan.reason == "an index could serve it and was not taken: by itself it is larger than the budget"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT * FROM owned(7)", "its condition stands in a function"),
        ("SELECT * FROM plots WHERE random() < 0.001", "its condition names no column of the table"),
        ("SELECT * FROM plots", "the query asks for every row"),
        (
            "SELECT * FROM plots WHERE owner % $1 = $2",
            "its condition on owner can use no index: its expression holds a parameter",
        ),
        (
            f"SELECT * FROM plots WHERE owner IN ({', '.join(map(str, range(60_000)))})",
            "the statement was not taken apart",
        ),
    ],
)
def test_a_scan_without_a_condition_of_its_own_is_told_as_what_it_is(
    url: str, tmp_path: Path, text: str, reason: str
) -> None:
    report = advise(AdviceRequest(files=written(tmp_path, text + ";\n"), url=url, curve=False))
    assert report.index_plan is not None
    (scan,) = report.index_plan.kept_scans
    assert scan.reason.startswith(reason)


@pytest.mark.parametrize(("value", "told"), [("$1", True), ("10", False)])
def test_what_a_scan_keeps_of_values_that_nobody_recorded_is_called_assumed(
    url: str, tmp_path: Path, value: str, told: bool
) -> None:
    report = advise(
        AdviceRequest(files=written(tmp_path, f"SELECT * FROM deeds WHERE id > {value};\n"), url=url, curve=False)
    )
    assert report.index_plan is not None
    (scan,) = report.index_plan.kept_scans
    assert scan.reason.startswith("the condition keeps")
    assert scan.reason.endswith(", with values assumed") == told
    assert ("a journal or a .sql file" in scan.remedy) == told


def test_a_limit_is_the_reason_also_where_little_is_at_stake(url: str, tmp_path: Path) -> None:
    files = written(
        tmp_path,
        "SELECT * FROM deeds WHERE buyer = 7;\nSELECT * FROM plots WHERE owner = 7;\n"
        "SELECT count(*) FROM deeds d, deeds e WHERE d.filler < e.filler;\n",
    )
    report = advise(AdviceRequest(files=files, url=url, constraints=Constraints(max_indexes=1), curve=False))
    assert report.index_plan is not None
    reasons = {scan.table: scan.reason for scan in report.index_plan.kept_scans}
    assert "saves less than the chosen indexes" in reasons["plots"]


def test_time_that_ran_out_is_not_called_nothing_to_add(url: str, tmp_path: Path) -> None:
    files = written(tmp_path, "SELECT * FROM deeds WHERE buyer = 7")
    report = advise(AdviceRequest(files=files, url=url, constraints=Constraints(max_seconds=0), curve=False))
    assert report.index_plan is not None
    assert "allow more with --max-seconds" in plan_headline(report.index_plan)


def test_literals_of_conditions_not_taken_stay_out(url: str, tmp_path: Path) -> None:
    files = written(
        tmp_path,
        "SELECT id, buyer FROM deeds WHERE town = 'Hidden Hollow';\nSELECT * FROM deeds WHERE town = 'Big City';",
    )
    nothing = Constraints(budget_bytes=1)
    hidden = advise(AdviceRequest(files=files, url=url, constraints=nothing, curve=False))
    assert hidden.index_plan is not None
    assert hidden.index_plan.rejected
    assert not hidden.index_plan.indexes
    assert "Hidden Hollow" not in to_json(hidden).decode() + to_html(hidden)
    shown = advise(AdviceRequest(files=files, url=url, constraints=nothing, curve=False, show_parameters=True))
    assert "Hidden Hollow" in to_json(shown).decode()


def test_no_curve_where_no_budget_buys_anything(url: str, tmp_path: Path) -> None:
    report = advise(AdviceRequest(files=written(tmp_path, "SELECT * FROM deeds WHERE id = 7"), url=url))
    assert report.index_plan is not None
    assert report.index_plan.curve
    assert "What a budget buys" not in to_html(report)


def test_a_workload_of_which_nothing_can_be_planned_is_no_success(url: str, tmp_path: Path) -> None:
    (file,) = written(tmp_path, "SELECT * FROM elsewhere WHERE a = 1")
    done = CliRunner().invoke(main, ["advise", str(file), "--url", url, "--output", str(tmp_path / "report")])
    assert done.exit_code == 2
    assert "no statement could be planned" in done.stderr
    assert "42P01" in done.stdout


def test_a_scan_under_a_join_alone_is_not_told_of_a_condition(url: str, tmp_path: Path) -> None:
    files = written(tmp_path, "SELECT d.town, p.filler FROM deeds d JOIN plots p ON p.owner = d.buyer;\n")
    report = advise(AdviceRequest(files=files, url=url, curve=False))
    assert report.index_plan is not None
    assert {scan.table for scan in report.index_plan.kept_scans} == {"deeds", "plots"}
    assert all(scan.reason.startswith("only a join restricts it") for scan in report.index_plan.kept_scans)
