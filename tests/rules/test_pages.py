"""Every rule's page is its test: Bad is reported, Good is silent, on a real database."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from queryproof.analysis import AnalysisRequest, analyze
from queryproof.analyzer.record.recorder import record
from queryproof.rules.plan_rule import PlanRule
from queryproof.rules.rule import Rule, all_rules

PRELUDE = """
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload
class Base(DeclarativeBase): pass
"""


def blocks(rule: Rule, heading: str) -> list[tuple[str, str]]:
    match = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", rule.page, re.MULTILINE | re.DOTALL)
    return re.findall(r"```(\w+)\n(.*?)```", match[1], re.DOTALL) if match else []


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_a_rule_has_a_summary_a_reason_a_bad_and_a_good_example(rule: Rule) -> None:
    assert rule.summary.endswith(".")
    assert "## Why it is slow" in rule.page or "## Why it is dangerous" in rule.page
    assert blocks(rule, "Bad")
    assert blocks(rule, "Good")


def test_codes_and_names_are_unique() -> None:
    assert len({rule.code for rule in all_rules()}) == len({rule.name for rule in all_rules()}) == len(all_rules())


@pytest.mark.parametrize("heading", ["Bad", "Good"])
@pytest.mark.parametrize(
    "rule", [rule for rule in all_rules() if not isinstance(rule, PlanRule)], ids=lambda rule: rule.name
)
def test_bad_is_reported_and_good_is_silent(
    rule: Rule, heading: str, database: str, tmp_path: Path, run_sql: Callable[..., None]
) -> None:
    ((language, text),) = blocks(rule, heading)
    ((_, setup),) = blocks(rule, "Setup")
    if language == "python":
        request = run_python(setup, text, database, tmp_path)
    else:
        run_sql(database, setup)
        file = tmp_path / "case.sql"
        file.write_text(text)
        request = AnalysisRequest(files=(file,), url=database, analyze=True)
    found = [finding.rule for finding in analyze(request, quiet).findings]
    assert found == ([rule.name] if heading == "Bad" else [])


def run_python(setup: str, text: str, database: str, tmp_path: Path) -> AnalysisRequest:
    names: dict[str, Any] = {}
    exec(PRELUDE + setup, names)
    engine = create_engine(database)
    names["Base"].metadata.create_all(engine)
    with names["Session"](engine) as session:
        session.add_all([names["Author"](id=n, books=[names["Book"](id=n)]) for n in range(1, 9)])
        session.commit()
    with record(engine, tmp_path / "journal", level=2), names["Session"](engine) as session:
        exec(textwrap.dedent(text), names | {"session": session})
    engine.dispose()
    return AnalysisRequest(journal=tmp_path / "journal", url=database)


def quiet(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    return iter(items)
