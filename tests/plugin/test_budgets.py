"""The file of budgets: written, checked, cleaned, and what is told of one that cannot be used."""

import pytest

from .project import Project, table


def test_budgets_are_written_checked_and_cleaned(project: Project) -> None:
    project.write(
        test_one="""
        @pytest.mark.parametrize("of", ["z", "a::b"])
        def test_it(of): send(3)
        def test_failing(): send(1); assert False
        """,
        test_two="def test_other(): send(2)",
    )
    project.run("--queryproof-budgets=update").assert_outcomes(passed=3, failed=1)
    file = project.path / "queryproof-budgets.json"
    written = file.read_text()
    assert written == (
        '{\n "version": 1,\n "tests": {\n  "test_one.py::test_it[a::b]": 3,\n  "test_one.py::test_it[z]": 3,\n'
        '  "test_two.py::test_other": 2\n }\n}\n'
    )
    # Another order of tests, and a run of only some: the same file.
    project.run("--queryproof-budgets=update", "test_two.py", "test_one.py")
    project.run("--queryproof-budgets=update", "test_one.py::test_failing")
    project.run("--queryproof-budgets=update", "-k", "other")
    assert file.read_text() == written

    project.write(test_one="def test_new(): send(1)", test_two="def test_other(): send(3)")
    checked = project.run("--queryproof-budgets=check")
    checked.assert_outcomes(passed=1, failed=1)
    checked.stdout.fnmatch_lines(
        [
            "3 queries, more than its budget of 2:",
            "*3×, 2 with values sent before: select $1, [?]",
            "tests that send more than their budgets allow:",
            "  test_two.py::test_other",
            "tests without a budget:",
            "  test_one.py::test_new",
            "budgets of tests that are no more:",
            "  test_one.py::test_it?a::b?",
            "  test_one.py::test_it?z?",
        ]
    )
    assert file.read_text() == written
    project.run("--queryproof-budgets=check", "test_two.py").stdout.no_fnmatch_line("*fits*")
    (project.path / "test_two.py").unlink()
    updated = project.run("--queryproof-budgets=update")
    updated.stdout.fnmatch_lines(["queryproof-budgets.json: 1 of 1 budgets written anew, stale ones removed: 3"])
    assert project.budgets() == {"test_one.py::test_new": 1}
    fits = project.run("--queryproof-budgets=check")
    fits.stdout.fnmatch_lines(["queryproof-budgets.json fits: 1 tests"])


def test_what_the_fixture_forgets_is_still_counted_for_budget_markers_and_table(project: Project) -> None:
    project.write(
        test_one="""
        @pytest.fixture
        def prepared(queries):
            send(4)
            queries.reset()

        def test_it(queries, prepared):
            send(2)
            queries.assert_count(2)
            for sent in (1, 2):
                queries.reset()
                queries.assert_count(0)
                send(sent)
                queries.assert_count(sent)
                queries.assert_duplicates_at_most(sent - 1)
            with queries.block() as block:
                send(1)
                block.reset()
                send(1)
            assert (block.count, queries.count) == (1, 4)

        @pytest.mark.max_queries(2)
        def test_marked(queries):
            send(3)
            queries.reset()

        @pytest.mark.max_duplicate_queries(2)
        def test_marked_for_duplicates(queries):
            send(2)
            queries.reset()
            send(2)
        """
    )
    written = project.run("--queryproof", "--queryproof-budgets=update")
    written.assert_outcomes(passed=1, failed=2)
    written.stdout.fnmatch_lines(["3 queries, more than 2:", "3 duplicate queries, more than 2:"])
    assert project.budgets() == {"test_one.py::test_it": 7}
    assert table(written) == {"test_it": (7, 6), "test_marked": (3, 2), "test_marked_for_duplicates": (4, 3)}
    document = project.path / "queryproof-budgets.json"
    document.write_text(document.read_text().replace(": 7", ": 6"))
    checked = project.run("--queryproof-budgets=check", "-k", "test_it")
    checked.assert_outcomes(failed=1, deselected=2)
    checked.stdout.fnmatch_lines(["7 queries, more than its budget of 6:"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "*there is no *queryproof-budgets.json: write it with --queryproof-budgets=update*"),
        ("{", "*queryproof-budgets.json is damaged*"),
        ("[" * 100_000, "*queryproof-budgets.json is damaged*"),
        ('{"version": 1, "tests": {"test_one.py::test_it": -1}}', "*queryproof-budgets.json is damaged*"),
        ('{"version": 1, "tests": {"test_one.py::test_it": true}}', "*queryproof-budgets.json is damaged*"),
        ('{"version": 1, "tests": {\n<<<<<<< ours\n}}', "*holds a merge conflict: take either side*"),
        ('{"version": 9, "tests": []}', "*is of version 9*"),
        ('{"version": 9, "tests": {}}', "*is of version 9, this queryproof reads 1*"),
    ],
)
def test_a_budgets_file_that_cannot_be_read_is_a_usage_error(
    project: Project, content: str | None, message: str
) -> None:
    if content is not None:
        (project.path / "queryproof-budgets.json").write_text(content)
    project.write(test_one="def test_it(): pass")
    result = project.run("--queryproof-budgets=check")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert "Traceback" not in result.stderr.str()


def test_budgets_that_cannot_be_written_are_told(project: Project) -> None:
    project.write(test_one="def test_it(): send(1)")
    result = project.run("--queryproof-budgets=update", "--queryproof-budgets-file=none/b.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["queryproof: *none/b.json cannot be written: No such file or directory"])


def test_a_link_to_the_budgets_stays_a_link(project: Project) -> None:
    project.write(test_one="def test_it(): send(1)")
    link, kept = project.path / "queryproof-budgets.json", project.path / "kept.json"
    link.symlink_to(kept)
    project.run("--queryproof-budgets=update").assert_outcomes(passed=1)
    assert link.is_symlink()
    assert '"test_one.py::test_it": 1' in kept.read_text()
