"""Proofs by running again, recordings of whole runs, several processes, and runs of only some tests."""

import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.sources.journal import read_recording
from queryproof.cli import main

from .project import Project, table


def proofs(result: pytest.RunResult) -> dict[str, str]:
    """The line of each test below the heading, without its place and its times."""
    lines = result.outlines[result.outlines.index(next(line for line in result.outlines if " proofs " in line)) + 1 :]
    found = (re.fullmatch(r"\S+::(\S+): (?:query at \S+:\d+ ?:? ?)?(.+)", line) for line in lines)
    return {line[1]: re.sub(r", [\d.]+ m?s → [\d.]+ m?s", "", line[2]) for line in found if line is not None}


def test_a_test_that_loads_row_by_row_is_proven_or_refused_with_the_reason(project: Project) -> None:
    project.write(
        test_proofs="""
        import unittest
        runs = []

        @pytest.fixture(scope="module")
        def kept():
            own = create_engine("sqlite://")
            Base.metadata.create_all(own)
            with Session(own) as session:
                fill(session)
                session.info["kept"] = session.scalars(select(Author)).all()
                yield session

        def test_reads(session):
            runs.append("reads")
            assert count_books(session) == [2] * 10
        def test_ran_seven_times(): assert runs.count("reads") == 7
        def read_both(session, *options):
            for author in session.scalars(select(Author).options(*options)):
                [book.author_id for book in author.books]
        def test_deferred(session):
            from sqlalchemy.orm import defer
            for book in session.scalars(select(Book).options(defer(Book.author_id))): book.author_id
        def test_both(session):
            from sqlalchemy.orm import defaultload
            read_both(session, defaultload(Author.books).defer(Book.author_id))
        def test_eager(session):
            from sqlalchemy.orm import selectinload
            for author in session.scalars(select(Author).options(selectinload(Author.books))): author.books
        def test_commits(session):
            count_books(session)
            session.add(Author())
            session.commit()
        def test_rolls_back(session):
            count_books(session)
            session.add(Author())
            session.flush()
            session.rollback()
        def test_fails(session):
            count_books(session)
            assert False
        @pytest.mark.no_n_plus_one
        @pytest.mark.max_queries(11)
        def test_marked(session): count_books(session)
        @pytest.mark.xfail
        @pytest.mark.max_queries(10)
        def test_expected(session): count_books(session)
        def test_kept(kept): count_books(kept)
        def test_once(session):
            count_books(session)
            runs.append("once")
            assert runs.count("once") == 1
        class Case(unittest.TestCase):
            def setUp(self):
                Base.metadata.create_all(engine)
                self.session = Session(engine)
                fill(self.session)
            def tearDown(self):
                self.session.close()
                Base.metadata.drop_all(engine)
            def test_case(self): assert count_books(self.session) == [2] * 10
        """
    )
    result = project.run("--queryproof-prove", "--queryproof", "--queryproof-journal=journal")
    result.assert_outcomes(passed=10, failed=2, xfailed=1)
    measured = "with Author.books loaded eagerly: 11 queries → 2 (measured, median of 3 runs each way)"
    assert proofs(result) == {
        "test_reads": measured,
        "test_commits": "no proof: it commits what it writes, and a second run would write it again",
        "test_rolls_back": measured,
        "test_deferred": "with Book.author_id loaded with the query: 21 queries → 1 (measured, median of 3 runs each way)",
        "test_both": "with Author.books loaded eagerly: 31 queries → 22 (measured, median of 3 runs each way)",
        "test_fails": "no proof: the test did not pass",
        "test_marked": measured,
        "test_expected": measured,
        "test_kept": "no proof: run again as it is, it sends 0 queries instead of 10: "
        "a fixture of wider scope may keep what was loaded",
        "test_once": "no proof: run again as it is, the test did not pass",
        "test_case": measured,
    }
    # The other remedy of the same line has a proof of its own.
    result.stdout.fnmatch_lines(
        ["*::test_both: query at * with Author.books > Book.author_id loaded with the query: 31 queries → 11, *"]
    )
    assert table(result)["test_reads"] == (11, 0)
    counted = Counter(one.scope.name for one in read_recording(project.path / "journal").queries if one.scope)
    assert counted["test_proofs.py::test_reads"] == counted["test_proofs.py::test_marked"] == 11
    assert counted["test_proofs.py::test_rolls_back"] == 12
    assert len({name for name in counted if name.startswith("setup")}) == 11


def test_a_test_that_is_run_again_sees_the_queries_of_that_run(project: Project) -> None:
    project.write(
        test_seen="""
        def test_seen(session, queries):
            before = queries.count
            count_books(session)
            with open("seen.txt", "a") as file:
                print(queries.count - before, file=file)
            queries.assert_at_most(11)
        """
    )
    result = project.run("--queryproof-prove", "--queryproof")
    result.assert_outcomes(passed=1)
    assert (project.path / "seen.txt").read_text().split() == ["11", *["11", "2"] * 3]
    assert table(result)["test_seen"] == (11, 0)


ROLLED_BACK = """
@pytest.fixture(scope="session")
def engine():
    engine = create_engine({url!r})
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    yield engine
    engine.dispose()

@pytest.fixture
def session(engine):
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            fill(session)
            yield session
        transaction.rollback()

@pytest.mark.max_queries(20)
def test_writes(session):
    count_books(session)
    session.add(Author(id=11))
    session.commit()

@pytest.mark.max_queries(11)
def test_next(session): assert count_books(session) == [2] * 10
"""


def test_what_the_outer_transaction_of_the_fixture_rolls_back_was_not_committed(
    project: Project, database: str
) -> None:
    url = re.sub("^postgresql(?=:)", "postgresql+psycopg2", database)
    project.write(test_rolled_back=ROLLED_BACK.format(url=url))
    result = project.run("--queryproof-prove", "--queryproof")
    result.assert_outcomes(passed=2)
    measured = "with Author.books loaded eagerly: 11 queries → 2 (measured, median of 3 runs each way)"
    assert proofs(result) == {"test_writes": measured, "test_next": measured}
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM authors")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_the_recording_of_a_run_names_its_tests_and_can_be_analysed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(
        test_shop="""
        import threading

        def test_rows(session): count_books(session)
        @pytest.mark.parametrize("times", [2])
        def test_each(times):
            thread = threading.Thread(target=send, args=(times,)); thread.start(); thread.join()
        """
    )
    for _ in range(2):
        project.run("--queryproof-journal", "journal").stdout.fnmatch_lines(
            ["queryproof: recorded to journal; next: queryproof analyze journal"]
        )
    assert (project.path / "journal-previous").is_dir()
    recording = read_recording(project.path / "journal")
    scopes = {(one.scope.kind, one.scope.name) for one in recording.queries if one.scope is not None}
    assert all(one.scope is not None for one in recording.queries)
    assert scopes == {
        ("test", "test_shop.py::test_rows"),
        ("test", "test_shop.py::test_each[2]"),
        ("fixture", "setup of test_shop.py::test_rows"),
        ("fixture", "teardown of test_shop.py::test_rows"),
    }
    monkeypatch.chdir(project.path)
    answer = CliRunner().invoke(main, ["analyze", "journal", "--fail-on", "warning"])
    assert answer.exit_code == 1, answer.output
    assert "Load Author.books together with the query" in answer.output


def test_workers_of_xdist_send_everything_to_the_process_that_sums_up(project: Project) -> None:
    project.write(
        test_one="""
        @pytest.mark.query_scaling(sizes=(2, 10, 30))
        def test_grows(size): send(size)
        @pytest.mark.query_scaling(sizes=(2, 10, 30))
        def test_stays(size): send(2)
        @pytest.mark.xdist_group("alone")
        def test_grouped(): send(4)
        def test_rows(session): count_books(session)
        """,
        test_two="""
        @pytest.mark.parametrize("times", range(6))
        def test_each(times): send(times)
        """,
    )
    options = ("--queryproof", "-v", "--queryproof-budgets=update")
    alone = project.run(*options)
    budgets = project.path / "queryproof-budgets.json"
    expected = project.budgets()
    (project.path / "test_two.py").rename(project.path / "test_too.py")
    spread = project.run_apart(
        *options, "-n2", "--dist=loadgroup", "--queryproof-journal=journal", "--queryproof-prove"
    )
    for result in (alone, spread):
        result.assert_outcomes(passed=13, failed=1)
        result.stdout.fnmatch_lines(["queries grow with the rows (linear, 1.00 a row): 2 for 2, 10 for 10, 30 for 30"])
    assert table(spread) == table(alone)
    assert len(table(alone)) == 13
    # The size that comes last tells of the growth, and keeps the budget it had: here the workers' pace says which it is.
    late = set(re.findall(r"^FAILED test_one.py::test_grows\[size-(\d+)\]", spread.stdout.str(), re.MULTILINE))
    anew = {} if late == {"30"} else {"test_one.py::test_grows[size-30]": 30}
    spread.stdout.fnmatch_lines(
        [f"queryproof-budgets.json: {6 + len(anew)} of 13 budgets written anew, stale ones removed: 6"]
    )
    renamed = {test.replace("test_two", "test_too"): count for test, count in expected.items()}
    assert project.budgets() == renamed | anew
    assert list(proofs(spread)) == ["test_rows"]
    assert "(measured" in proofs(spread)["test_rows"]
    recording = read_recording(project.path / "journal")
    # A worker may come too late to get a test that sends something.
    assert len({one.process for one in recording.queries}) <= 2
    names = {one.scope.name for one in recording.queries if one.scope is not None and one.scope.kind == "test"}
    assert names == {test for test, count in project.budgets().items() if count} | {"test_one.py::test_grows[size-30]"}

    # Markers alone, without an option: it is a worker that finds them.
    budgets.unlink()
    marked = project.run_apart("-n1", "-k", "grows or stays")
    marked.assert_outcomes(passed=5, failed=1)


def test_last_failed_runs_the_tests_that_grew_or_sent_too_much(project: Project) -> None:
    project.write(
        test_some="""
        @pytest.mark.max_queries(1)
        def test_many(): send(2)
        @pytest.mark.query_scaling(sizes=(2, 10))
        def test_grows(size): send(size)
        def test_good(): send(1)
        """
    )
    project.run("--queryproof-budgets=update").assert_outcomes(passed=2, failed=2)
    again = project.run("--lf", "--queryproof-budgets=update")
    again.assert_outcomes(failed=2)
    again.stdout.fnmatch_lines(["*growth cannot be judged: the sizes 2 are not in this run*"])
    assert set(project.budgets()) == {"test_some.py::test_good", "test_some.py::test_grows[size-2]"}


FORKING = """
import json, os
from _pytest.reports import TestReport
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = item.config.hook.pytest_report_to_serializable
        reports = [told(config=item.config, report=one) for one in runtestprotocol(item, log=False)]
        os.write(writing, json.dumps(reports).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answers:
        told = answers.read()
    _, status = os.waitpid(child, 0)
    if status == 0:
        for one in json.loads(told):
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=one)
            item.ihook.pytest_runtest_logreport(report=report)
    else:
        crash = TestReport(item.nodeid, item.location, {}, "failed", "crashed", "call", [])
        item.ihook.pytest_runtest_logreport(report=crash)
    return True
"""


def test_r17_tests_in_forked_processes_keep_their_results_figures_and_recordings(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest-forked runs them: the child ends without any cleanup, and its reports come back as plain values."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + FORKING)
    project.write(
        test_forked="""
        import os, signal

        def test_reads(session): count_books(session)
        @pytest.mark.max_queries(3)
        def test_over(session): count_books(session)
        @pytest.mark.no_n_plus_one
        def test_loop(session): count_books(session)
        def test_killed(session):
            count_books(session)
            os.kill(os.getpid(), signal.SIGKILL)
        def test_within(session, queries):
            session.scalars(select(Author)).all()
            queries.assert_count(1)
        """
    )
    options = ("--queryproof", "--queryproof-prove", "--queryproof-budgets=update", "--queryproof-journal=journal")
    result = project.run(*options)
    result.assert_outcomes(passed=2, failed=3)
    assert {test: row[0] for test, row in table(result).items()} == {
        "test_reads": 11, "test_over": 11, "test_loop": 11, "test_within": 1
    }  # fmt: skip
    result.stdout.fnmatch_lines(["no proof of 5 tests: each has run in a process forked for it"])
    assert not list(temporary.glob("queryproof-*"))
    queries = read_recording(project.path / "journal").queries
    bodies = Counter(one.scope for one in queries if one.scope is not None and one.scope.kind == "test")
    assert sorted(bodies.values()) == [1, 11, 11, 11, 11]
