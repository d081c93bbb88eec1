"""The pytest plugin: options, markers, and nothing else until a run or a test asks for it.

Loaded by every pytest run of an environment that has queryproof installed, so it imports nothing heavy at the top.
"""

from typing import TYPE_CHECKING

import pytest

from .testing.figures import FIGURES

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
_NAMES = tuple(marker.partition("(")[0] for marker in MARKERS)


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
        help="Run a test that loads row by row again, with and without the option at its query; tell queries and times.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known, and start when an option says so."""
    for marker, what in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {what}")
    names = ("queryproof", "queryproof_journal", "queryproof_budgets", "queryproof_prove")
    if any(config.getoption(name) for name in names):
        _started(config)
    else:
        config.pluginmanager.register(_Waiting(config))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of growth runs once for each size."""
    marker = metafunc.definition.get_closest_marker("query_scaling")
    if marker is None:
        return
    from .testing.growth import marker_sizes, size_id

    sizes = marker_sizes(marker, metafunc.definition.nodeid)
    if "size" not in metafunc.fixturenames:
        pytest.fail(f"{metafunc.definition.nodeid}: a test of query_scaling takes the argument `size`", pytrace=False)
    metafunc.parametrize("size", sizes, ids=size_id)


@pytest.fixture
def queries(request: pytest.FixtureRequest) -> "Queries":
    """The queries of this test: `queries.count`, `queries.assert_at_most(3)`, `with queries.block() as inner: …`."""
    if not request.config.pluginmanager.has_plugin(NAME):
        pytest.fail(
            "nobody has counted from the beginning of this test: take `queries` as its argument, or run with --queryproof",
            pytrace=False,
        )
    return _started(request.config).queries(request.node)


class _Waiting:
    """Starts when a test wants to be counted although no option was given."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before the first fixture is set up, if any test of the run asks for it."""
        if not self._config.option.collectonly and any(map(_wants, items)):
            _started(self._config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Under xdist it is a worker that has started; the first figures it sends start this process."""
        if hasattr(report, FIGURES) and not self._config.pluginmanager.has_plugin(NAME):
            _started(self._config).totals.add(report)


def _wants(item: pytest.Item) -> bool:
    # A parameter of that name is the test's own business.
    fixture = "queries" in getattr(item, "fixturenames", ()) and not (
        hasattr(item, "callspec") and "queries" in item.callspec.params
    )
    return fixture or any(map(item.get_closest_marker, _NAMES))


def _started(config: pytest.Config) -> "Session":
    if not config.pluginmanager.has_plugin(NAME):
        from .testing import session

        config.pluginmanager.register(session.Session(config), NAME)
    found: Session = config.pluginmanager.get_plugin(NAME)  # type: ignore[assignment] # registered above
    return found
