"""The pytest plugin: options, markers, and nothing else until a run or a test asks for it.

Loaded by every pytest run of an environment that has queryproof installed, so it imports nothing heavy at the top.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing.queries import Queries
    from .testing.session import Session

NAME = "queryproof-session"
MARKERS = {
    "max_queries(n)": "fail when the test sends more than n queries.",
    "max_duplicate_queries(n)": "fail when more than n queries of the test repeat an earlier one with the same values.",
    "no_n_plus_one": "fail when the test loads something once for each of many rows.",
    "query_scaling(sizes=(2, 20, 200))": "run the test with each `size`; fail when its queries grow with it.",
}
FIXTURES = frozenset(("queries",))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the group queryproof."""
    group = parser.getgroup("queryproof", "queries of the tests")
    group.addoption("--queryproof", action="store_true", help="Count the queries of every test and print a table.")
    group.addoption(
        "--queryproof-journal", metavar="DIR", help="Record the whole run there, for `queryproof analyze DIR`."
    )
    group.addoption(
        "--queryproof-budgets",
        choices=["update", "check"],
        help="update: write the queries of each test to the budgets file; check: fail tests that send more.",
    )
    group.addoption(
        "--queryproof-budgets-file",
        metavar="FILE",
        default="queryproof-budgets.json",
        help="The budgets file, below the root directory; commit it. Default: queryproof-budgets.json.",
    )
    group.addoption(
        "--queryproof-prove",
        action="store_true",
        help="Run a test that loads row by row again with the option added at its query; tell queries before and after.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and start when an option says so."""
    for marker, what in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {what}")
    names = ("queryproof", "queryproof_journal", "queryproof_budgets", "queryproof_prove")
    if any(config.getoption(name) for name in names):
        _start(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of growth runs once for each size."""
    marker = metafunc.definition.get_closest_marker("query_scaling")
    if marker is not None:
        if "size" not in metafunc.fixturenames:
            pytest.fail(
                f"{metafunc.definition.nodeid}: a test of query_scaling takes the argument `size`", pytrace=False
            )
        metafunc.parametrize("size", marker.kwargs.get("sizes", (2, 20, 200)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start when a test wants to be counted although no option was given."""
    names = [marker.partition("(")[0] for marker in MARKERS]
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())) or any(map(item.get_closest_marker, names)):
            _start(config)
            return


@pytest.fixture
def queries(request: pytest.FixtureRequest) -> "Queries":
    """The queries of this test: `queries.count`, `queries.assert_at_most(3)`, `with queries.block() as inner: …`."""
    session: Session = request.config.pluginmanager.get_plugin(NAME)  # type: ignore[assignment] # started at collection
    return session.queries(request.node)


def _start(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin(NAME):
        from .testing.session import Session

        config.pluginmanager.register(Session(config), NAME)
