"""One index for several queries, and a proof that the role's rights do not allow."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

SETUP = """
CREATE TABLE parcels (id int PRIMARY KEY, owner int NOT NULL, code text NOT NULL COLLATE "C", weight int NOT NULL);
INSERT INTO parcels SELECT n, n % 4000, repeat(md5(n::text), 2), n % 900 FROM generate_series(1, 50000) n;
ANALYZE parcels;
"""
BY_OWNER = "SELECT code FROM parcels WHERE owner = 7;"
BY_BOTH = "SELECT code FROM parcels WHERE owner = 7 AND weight > 880;"
BY_CODE = "SELECT owner FROM parcels WHERE code = repeat(md5('7'), 2);"
BY_START = "SELECT weight FROM parcels WHERE code LIKE 'abcd%';"


@pytest.fixture
def parcels(server: Server, database: str, run_sql: Callable[..., None]) -> str:
    run_sql(database, SETUP)
    return make_url(database).database or ""


def advised(url: str, directory: Path, prove: str, *texts: str) -> set[tuple[str, str]]:
    file = directory / "queries.sql"
    file.write_text("\n".join(texts))
    report = analyze(AnalysisRequest(files=(file,), url=url, prove=prove))  # type: ignore[arg-type] # one of Prove's words
    return {
        (one.evidence.kind, one.code[0].text.partition(" ON ")[2].replace('"', ""))
        for one in report.recommendations
        if one.kind == "index"
    }


def test_estimates_name_one_index_where_the_wider_one_serves_both(parcels: str, server: Server, tmp_path: Path) -> None:
    found = advised(server.url(parcels, "reader"), tmp_path, "no", BY_OWNER, BY_BOTH)
    assert found == {("estimated", "public.parcels (owner, weight);")}


def test_a_btree_that_finds_what_a_hash_index_finds_makes_it_needless(
    parcels: str, server: Server, tmp_path: Path
) -> None:
    found = advised(server.url(parcels, "app"), tmp_path, "measure", BY_CODE, BY_START)
    assert found == {("measured", "public.parcels (code);")}


def test_a_role_that_may_not_build_gets_plans_instead(parcels: str, server: Server, tmp_path: Path) -> None:
    found = advised(server.url(parcels, "reader"), tmp_path, "measure", BY_OWNER, BY_BOTH)
    assert found
    assert {kind for kind, _ in found} == {"planned"}


def test_what_can_save_no_more_is_not_built(
    parcels: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Explainer.measure

    def measure(self: Explainer, sql: str, runs: int) -> Plan:
        """A real run, with times that do not depend on the machine."""
        plan = run(self, sql, 1)
        return replace(plan, execution_ms=0.05 if any(node.index for node in plan.root.walk()) else 100.0)

    monkeypatch.setattr(Explainer, "measure", measure)
    file = tmp_path / "queries.sql"
    file.write_text("SELECT weight FROM parcels WHERE owner = 7;")
    report = analyze(AnalysisRequest(files=(file,), url=server.url(parcels, "app"), prove="measure"))
    (one,) = report.recommendations
    assert '"parcels" ("owner");' in one.code[0].text
    (covering,) = one.alternatives
    assert covering.what.endswith("including weight")
    assert covering.reason.startswith("not built: no smaller than B-tree on parcels (owner)")
