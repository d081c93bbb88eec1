"""The demo: a throw-away server, a real application with known faults, the whole analysis."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .analysis import AnalysisRequest, Progress, analyze
from .analyzer.errors import QueryproofError
from .analyzer.postgres.connect import connect
from .analyzer.postgres.libpq_settings import without_libpq_settings
from .analyzer.postgres.server import Server
from .analyzer.record.launcher import run
from .analyzer.sources.pg_stat_statements import Snapshot, snapshot
from .reports.report import Report
from .reports.write import check_writable

if TYPE_CHECKING:
    from .sample_db.seed import Size

DATABASE = "queryproof_demo"


def run_demo(size: "Size", output: Path, progress: Progress, say: Callable[[str], None]) -> Report:
    """Server → migrations → seed → scenarios under the recorder → analysis with proof. The caller writes the report."""
    from .sample_db.migrate import upgrade
    from .sample_db.seed import seed

    check_writable(output)
    say("Starting a throw-away PostgreSQL …")
    with without_libpq_settings(), Server() as server:
        say(f"PostgreSQL {server.version}: migrating and seeding the sample application ({size}) …")
        server.create_database(DATABASE)
        application = server.url(DATABASE, "app")
        upgrade(application)
        seed(application, size)
        before = _counters(server.url(DATABASE, "reader"))
        say("Running its scenarios under the recorder …")
        # Beside the data, so that what a killed demo leaves is swept with the server's.
        journal = server.directory / "journal"
        command = [sys.executable, "-m", "queryproof.sample_db.run", application]
        code = run(command, journal, application=[Path(__file__).parent / "sample_db" / "scenarios"])
        if code != 0:
            raise QueryproofError(f"the sample application ended with exit code {code}")
        say("Analysing, and building each candidate index to see what it really does …")
        request = AnalysisRequest(
            journal=journal,
            url=server.url(DATABASE, "reader"),
            pg_stat_statements=True,
            since=before,
            build_url=application,
        )
        return analyze(request, progress)


def _counters(url: str) -> Snapshot:
    connection = connect(url)
    try:
        return snapshot(connection)
    finally:
        connection.close()
