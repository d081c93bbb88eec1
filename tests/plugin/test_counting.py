"""The pytest plugin in real pytest runs: what is counted, what fails, what is told. SQLite, where the database is irrelevant."""

import textwrap

import pytest

from .project import CONFTEST, Project, table


def test_the_bodies_of_tests_are_counted_and_their_fixtures_are_not(project: Project) -> None:
    project.write(
        test_kinds="""
        import asyncio, threading, unittest

        @pytest.fixture(scope="module")
        def module(): send(30); yield; send(31)
        @pytest.fixture(scope="class")
        def of_class(): send(32); yield; send(33)
        @pytest.fixture(autouse=True)
        def each(): send(34); yield; send(35)
        @pytest.fixture
        async def asynchronous(): send(36); yield; send(37)

        class TestPlain:
            def setup_method(self): send(38)
            def teardown_method(self): send(39)
            def test_method(self, module, of_class): send(2)

        class Case(unittest.TestCase):
            def setUp(self): send(40)
            def tearDown(self): send(41)
            def test_case(self): send(3)
            def test_failing_case(self): send(4); self.fail("no")

        class Asynchronous(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self): send(42)
            async def test_case(self): send(5)

        async def test_async(asynchronous):
            await asyncio.gather(*(asyncio.to_thread(send, 1) for _ in range(3)), asyncio.sleep(0))
        def test_loop_of_its_own():
            async def body(): send(7)
            asyncio.run(body())
        def test_thread():
            thread = threading.Thread(target=send, args=(8,)); thread.start(); thread.join()
        def test_distinct(): send(9, same=False)
        def test_fails(): send(1); raise ValueError
        def test_silent(): pass
        def test_statement_fails():
            with pytest.raises(Exception): send(1, "SELECT nothing")
        @pytest.mark.skip
        def test_skipped(): send(50)
        @pytest.mark.xfail(strict=True)
        def test_expected(queries): send(10); queries.assert_count(9)
        @pytest.mark.parametrize("times", [1, 2])
        def test_each(times): send(times)
        """,
    )
    result = project.run("--queryproof")
    result.assert_outcomes(passed=11, failed=2, skipped=1, xfailed=1)
    assert table(result) == {
        "TestPlain::test_method": (2, 1),
        "Case::test_case": (3, 2),
        "Case::test_failing_case": (4, 3),
        "Asynchronous::test_case": (5, 4),
        "test_async": (3, 2),
        "test_loop_of_its_own": (7, 6),
        "test_thread": (8, 7),
        "test_distinct": (9, 0),
        "test_fails": (1, 0),
        "test_statement_fails": (1, 0),
        "test_expected": (10, 9),
        "test_each[1]": (1, 0),
        "test_each[2]": (2, 1),
    }
    assert "56 queries in 13 of 14 tests" in result.outlines


def test_markers_fail_with_the_statements_their_places_and_no_literals(project: Project) -> None:
    project.write(
        test_markers="""
        @pytest.mark.max_queries(3)
        def test_many(): send(4, same=False)
        @pytest.mark.max_queries(n=4)
        def test_few(): send(4)
        @pytest.mark.max_duplicate_queries(2)
        def test_repeats(): send(4)
        @pytest.mark.max_duplicate_queries(2)
        def test_repeats_little(): send(3)
        @pytest.mark.no_n_plus_one
        def test_rows(session): count_books(session)
        @pytest.mark.no_n_plus_one
        def test_together(session):
            from sqlalchemy.orm import selectinload
            for author in session.scalars(select(Author).options(selectinload(Author.books))): author.books
        @pytest.mark.max_queries("three")
        def test_wrong(): pass
        """,
    )
    result = project.run()
    result.assert_outcomes(passed=3, failed=4)
    result.stdout.fnmatch_lines(
        [
            "*4 queries, more than 3:",
            "*4×: select $1, [?]",
            "*4× at shop.py:* in send",
            "*3 duplicate queries, more than 2:",
            "*4×, 3 with values sent before: select $1, [?]",
            "*the test loads row by row:",
            "*n-plus-one: *Author.books*",
            "*query at shop.py:* in count_books",
            "*selectinload(Author.books)*",
            "*pytest.mark.max_queries(n) takes one whole number that is not negative*",
        ]
    )
    assert "c4n4ry" not in result.stdout.str()
    assert not table(result)


def test_the_fixture_tells_the_queries_so_far_and_those_of_a_block(project: Project) -> None:
    project.write(
        test_fixture="""
        import asyncio, threading

        @pytest.fixture
        def prepared(): send(5)

        def test_counts(queries, prepared):
            queries.assert_count(0)
            send(2)
            with queries.block() as inner:
                thread = threading.Thread(target=send, args=(3,)); thread.start(); thread.join()
                send(1, "SELECT 'other'")
                with queries.block() as innermost:
                    send(1)
            send(1)
            assert (queries.count, inner.count, innermost.count) == (8, 5, 1)
            assert [one.calls for one in inner.statements] == [4, 1]
            queries.assert_at_most(8)
            queries.reset()
            queries.assert_count(0)
            queries.assert_duplicates_at_most(0)

        def test_asked_for_late(request):
            send(2)
            found = request.getfixturevalue("queries")
            before = found.count
            send(3)
            assert found.count == before + 3

        async def test_blocks_of_tasks(queries):
            async def work(times):
                with queries.block() as block:
                    await asyncio.sleep(0.01 * times)
                    send(times)
                return block.count
            assert await asyncio.gather(work(1), work(2), work(3)) == [1, 2, 3]
            send(1)
            queries.assert_count(7)

        def test_fails(queries):
            send(2)
            queries.assert_at_most(1)
        """,
    )
    result = project.run()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["E *AssertionError: 2 queries, more than 1:", "E *2×, 1 with values sent before: select*"]
    )
    late = project.run("-k", "late")
    late.assert_outcomes(failed=1, deselected=3)
    late.stdout.fnmatch_lines(["*nobody has counted from the beginning of this test: take `queries` as its argument*"])


def test_a_plugin_that_runs_tests_again_counts_each_run_alone(project: Project) -> None:
    project.pytester.makeconftest(
        CONFTEST
        + textwrap.dedent("""
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for last in (False, True):
                item._initrequest()
                reports = runtestprotocol(item, log=False, nextitem=nextitem)
                if all(report.passed for report in reports) or last:
                    break
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """)
    )
    project.write(
        test_again="""
        runs = []

        @pytest.mark.max_queries(3)
        def test_flaky():
            runs.append(1)
            send(3)
            assert len(runs) == 2
        """,
    )
    result = project.run("--queryproof")
    result.assert_outcomes(passed=1)
    assert table(result) == {"test_flaky": (3, 2)}


def test_growth_is_judged_when_all_sizes_have_run(project: Project) -> None:
    project.write(
        test_growth="""
        @pytest.fixture
        def rows(size): return size

        @pytest.mark.query_scaling(sizes=(2, 10, 30))
        def test_grows(rows): send(1, "SELECT 1"); send(rows)

        @pytest.mark.parametrize("other", [object(), object()], ids=["a", "b"])
        @pytest.mark.query_scaling(sizes=(30, 2))
        def test_stays(size, other): send(3)
        """,
    )
    result = project.run("--queryproof-budgets=update")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_grows?size-30?*",
            "queries grow with the rows (linear, 1.00 a row): 3 for 2, 11 for 10, 31 for 30",
            "*30×: select $1, [?]",
        ]
    )
    assert "test_growth.py::test_grows[size-30]" not in project.budgets()
    alone = project.run("-k", "test_grows and size-30")
    alone.assert_outcomes(failed=1, deselected=6)
    alone.stdout.fnmatch_lines(["*growth cannot be judged: the sizes 2, 10 are not in this run*"])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("query_scaling(sizes=(2, 2))", "test_wrong.py::test_it: *growth shows from two different sizes on*"),
        ("query_scaling(sizes=(0, 2))", "*whole numbers of rows above 0*"),
        ("query_scaling(2, 20)", "test_wrong.py::test_it: *takes sizes=(*) alone*"),
        ("query_scaling", "*a test of query_scaling takes the argument `size`"),
    ],
)
def test_a_wrong_marker_is_told_at_collection(project: Project, marker: str, message: str) -> None:
    project.write(test_wrong=f"@pytest.mark.{marker}\ndef test_it(): pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_a_journal_that_cannot_be_written_is_a_usage_error(project: Project) -> None:
    (project.path / "file").touch()
    project.write(test_one="def test_it(): pass")
    result = project.run("--queryproof-journal=file/journal")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*journal's directory *file/journal cannot be written: Not a directory*"])


def test_nothing_is_imported_that_nobody_asked_for(project: Project) -> None:
    project.pytester.makeconftest("")
    project.pytester.makepyfile(
        test_plain="def test_it(): pass",
        test_marked="import pytest\n@pytest.mark.max_queries(1)\ndef test_it(): pass\n",
        main="""
        import sys, pytest
        codes = [
            pytest.main(["-p", "no:hypothesispytest", *words])
            for words in (["test_plain.py"], ["--co", "test_marked.py"], ["-p", "no:terminal", "test_plain.py"],
                          ["-p", "no:queryproof", "test_plain.py"])
        ]
        print("codes", *map(int, codes))
        ours = [name for name in sys.modules if name.startswith("queryproof.")]
        print("modules", *sorted({"sqlalchemy", "msgspec", "pandas", "sqlglot"} & set(sys.modules)), *sorted(ours))
        """,
    )
    result = project.pytester.runpython(project.path / "main.py")
    result.stdout.fnmatch_lines(
        [
            "codes 0 0 0 0",
            "modules queryproof.pytest_plugin queryproof.testing queryproof.testing.figures",
        ]
    )
