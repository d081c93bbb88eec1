"""Every scenario, recorded on PostgreSQL and judged by all ORM rules: the faulty at their line with an option that runs, the
clean in silence."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import sqlalchemy.orm
from sqlalchemy import Engine, select, tuple_
from sqlalchemy.orm import Session, aliased, contains_eager

from queryproof.analyzer.source_edit.edit_source import edit_source

from . import models
from .labels import Scenario
from .library import ORM_RULES, Library
from .scenarios import ALL, MODULES

FAULTY = [one for one in ALL if one.rule is not None]
CLEAN = [one for one in ALL if one.rule is None]


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(ALL) >= 150
    assert len(CLEAN) >= 60
    assert len({one.name for one in ALL}) == len(ALL)
    assert {one.rule for one in FAULTY} == ORM_RULES
    files = {
        file
        for file in Path(__file__).parent.glob("*.py")
        if re.search(r"^@(faulty|clean)\(", file.read_text(), re.MULTILINE)
    }
    assert files == {Path(str(module.__file__)) for module in MODULES}


@pytest.mark.parametrize("scenario", FAULTY, ids=lambda one: one.name)
def test_a_fault_is_found_at_its_query(library: Library, scenario: Scenario, tmp_path: Path) -> None:
    findings = library.run(scenario, "psycopg2", tmp_path)
    assert {finding.rule for finding in findings} == {scenario.rule}
    assert scenario.origin is not None
    assert {finding.place.line for finding in findings if finding.place is not None} == {scenario.origin}
    remedies = [finding.remedy for finding in findings if finding.remedy is not None]
    assert len(remedies) == len(findings)
    with Session(library.engines["psycopg2"]) as session:
        names = (
            vars(models)
            | vars(sqlalchemy.orm)
            | {"select": select, "tuple_": tuple_, "session": session, "values": (), "ids": ()}
        )
        for text in (one.text for remedy in remedies for one in remedy.code):
            if text.startswith(("select(", "session.scalars(")) and "…" not in text:
                assert str(eval(text, dict(names)))
    if scenario.option:
        code = [code.text for remedy in remedies for code in remedy.code]
        assert any(scenario.option in one for one in code)
        check_that_it_runs(library.engines["psycopg2"], scenario)
        if scenario.rule == "n-plus-one" or "undefer(" in scenario.option:
            assert all(remedy.edit is not None for remedy in remedies)
    if scenario.rule == "unused-eager-load":
        (edit,) = (remedy.edit for remedy in remedies)
        assert edit is not None
        source = Path(inspect.getsourcefile(scenario.run) or "").read_text()
        gone = f".{edit.replaces[0][1].rpartition('.')[2]})"
        assert edit_source(source, edit).count(gone) == source.count(gone) - 1
    told = "\n".join(code.text for remedy in remedies for code in remedy.code)
    assert "await " not in told or scenario.is_async
    if scenario.rule in ("write-in-loop", "duplicate-query", "commit-in-loop"):
        assert ("await " in told) == scenario.is_async
    if scenario.rule == "commit-in-loop":
        (remedy,) = remedies
        # Fewer commits send no fewer statements, unless each has made instances forget what they know.
        assert all(one.before.queries != one.after.queries for one in remedy.evidence.queries)
        assert ("await session.commit()" in remedy.code[0].text) == scenario.is_async
    if scenario.rule == "cartesian-eager-load":
        (edit,) = (remedy.edit for remedy in remedies)
        assert edit is not None
        source = Path(inspect.getsourcefile(scenario.run) or "").read_text()
        both = "joinedload(Author.books), joinedload(Author.awards)"
        edited = edit_source(source, edit)
        assert edited.count(both) == source.count(both) - 1
        assert "options(selectinload(Author.books), joinedload(Author.awards))" in edited


def check_that_it_runs(engine: Engine, scenario: Scenario) -> None:
    names: dict[str, Any] = vars(models) | vars(sqlalchemy.orm)
    root: Any = names.get(scenario.root)
    alias = next((one for one in ("writer", "row") if f"{one}." in scenario.option), None)
    if alias is not None:
        root = names[alias] = aliased(root)
    options = eval(f"({scenario.option},)", names)
    with Session(engine) as session:
        assert session.scalars(select(root).options(*options)).unique().all()


@pytest.mark.parametrize("scenario", CLEAN, ids=lambda one: one.name)
def test_a_clean_twin_is_silent(library: Library, scenario: Scenario, tmp_path: Path) -> None:
    findings = library.run(scenario, "psycopg2", tmp_path)
    assert [(finding.rule, finding.message) for finding in findings] == []


DRIVERS = [
    (one, driver) for one in ALL if one.rule == "n-plus-one" or one.rule is None for driver in ("psycopg",)
    if not one.is_async
][::4]  # fmt: skip


@pytest.mark.parametrize(("scenario", "driver"), DRIVERS, ids=lambda one: getattr(one, "name", one))
def test_another_driver_changes_nothing(library: Library, scenario: Scenario, driver: str, tmp_path: Path) -> None:
    findings = library.run(scenario, driver, tmp_path)
    assert {finding.rule for finding in findings} == ({scenario.rule} if scenario.rule else set())


def twice_in_one_function(session: Session) -> None:
    first = select(models.Author).order_by(models.Author.id)
    for author in session.scalars(first).all():
        len(author.books)
    session.expire_all()
    session.expunge_all()
    second = select(models.Author).order_by(models.Author.name)
    for author in session.scalars(second).all():
        len(author.books)


def test_a_fault_that_stands_twice_in_one_function_is_found_twice(library: Library, tmp_path: Path) -> None:
    scenario = Scenario(twice_in_one_function, "n-plus-one", "selectinload(Author.books)", "twice", False, False, False)
    findings = library.run(scenario, "psycopg2", tmp_path)
    lines = [finding.place.line for finding in findings if finding.place is not None]
    assert len(set(lines)) == len(findings) == 2
    assert len({finding.identity for finding in findings}) == 2
    assert [finding.remedy.settles for finding in findings if finding.remedy] == [(one.identity,) for one in findings]


def test_a_recursion_costs_one_query_a_level_and_its_callers_are_named(library: Library, tmp_path: Path) -> None:
    scenario = next(one for one in ALL if one.option == "selectinload(Node.children, recursion_depth=-1)")
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    (evidence,) = finding.remedy.evidence.queries
    assert (evidence.before.queries, evidence.after.queries) == (12, 5)
    assert [fact.name for fact in finding.facts].count("called from") == 1


def test_a_chain_of_single_steps_gets_no_option_that_saves_nothing(library: Library, tmp_path: Path) -> None:
    scenario = next(one for one in ALL if one.name == "chain_upwards")
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    assert finding.remedy.edit is None
    assert "WITH RECURSIVE" in finding.remedy.code[0].text
    assert "FROM nodes" in finding.remedy.code[0].text


def test_what_is_loaded_eagerly_already_is_not_counted_again(library: Library, tmp_path: Path) -> None:
    scenario = next(one for one in ALL if one.name == "below_a_selectin")
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.message.endswith("queries where 1 would do.")


def test_an_option_on_an_alias_is_continued_and_what_is_told_runs(library: Library, tmp_path: Path) -> None:
    scenario = next(one for one in ALL if one.name == "below_contains_eager_of_an_alias")
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.remedy is not None
    assert finding.remedy.edit is None
    end = finding.remedy.code[0].text
    assert end == ".selectinload(alias.tags)  # alias: the one that contains_eager() names"
    alias = aliased(models.Book)
    names = {"alias": alias, "start": contains_eager(models.Author.books.of_type(alias))}
    query = select(models.Author).join(alias, models.Author.books.of_type(alias)).options(eval(f"start{end}", names))
    with Session(library.engines["psycopg2"]) as session:
        authors = session.scalars(query).unique().all()
        assert all("tags" in vars(book) for author in authors for book in author.books)


@pytest.mark.parametrize("name", ["left_out_of_all_subclasses", "left_out_of_all_subclasses_one_level_down"])
def test_what_all_subclasses_have_is_asked_for_once_by_the_name_of_their_base(
    library: Library, name: str, tmp_path: Path
) -> None:
    (finding,) = library.run(next(one for one in ALL if one.name == name), "psycopg2", tmp_path)
    assert finding.message.startswith("Employee's name was left out")
    assert finding.remedy is not None
    assert finding.remedy.edit is not None
    assert "Manager" not in finding.remedy.edit.option


def test_columns_of_a_subclass_below_a_relationship_get_an_edit_and_are_not_said_to_have_expired(
    library: Library, tmp_path: Path
) -> None:
    scenario = next(one for one in ALL if one.name == "columns_of_a_subclass_one_level_down")
    (finding,) = library.run(scenario, "psycopg2", tmp_path)
    assert finding.message == (
        "A query of Team leaves out the columns that Manager adds to what Team.members holds; they are loaded for each "
        "instance: 5 queries."
    )
    assert finding.remedy is not None
    assert finding.remedy.edit is not None
    source = Path(inspect.getsourcefile(scenario.run) or "").read_text()
    edited = edit_source(source, finding.remedy.edit)
    assert "select(Team).options(defaultload(Team.members).selectin_polymorphic([Manager]))" in edited
