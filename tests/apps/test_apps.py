"""Both applications as a new user meets them: recorded under a real server, ended with Ctrl-C, analysed, fixed, recorded again."""

import asyncio
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from queryproof import record
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.sources.journal import read_journal
from queryproof.cli import main
from queryproof.reports.json_report import from_json

HERE = Path(__file__).parent


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("bookshop", "tracker"):
        shutil.copytree(HERE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("bookshop", "tracker")]:
        del sys.modules[name]


def served(command: Sequence[str], paths: Sequence[str]) -> int:
    """Record a server while it answers each path once; Ctrl-C ends it. Returns the exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "queryproof", "record", "--", sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        url = next(found[0] for line in process.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        for path in paths:
            assert httpx.get(f"{url}{path}", timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "queryproof: recorded to queryproof-journal" in told
    return process.returncode


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def loads_one_by_one(journal: str) -> set[str]:
    queries, source = read_journal(Path(journal))
    assert not source.notes
    lazy: list[RecordedQuery] = [one for one in queries if one.orm is not None and one.orm.kind == "lazy"]
    paths = [one.orm.path[-1] for one in lazy if one.orm is not None]
    return {path for path in paths if paths.count(path) > 1}


def check_edits(copy: Path, app: str) -> str:
    """Analyse, look at the diff, make the edits: nothing is written before it is asked for."""
    before = (copy / app / "main.py").read_text()
    told = run("analyze")
    assert "+        " in told or "+    " in told
    diff = run("fix")
    assert (copy / app / "main.py").read_text() == before
    assert diff.startswith(f"--- a/{app}/main.py\n+++ b/{app}/main.py\n")
    run("fix", "--apply")
    assert (copy / app / "main.py").read_text() != before
    return diff


def test_tracker(copy: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.create_database("tracker")
    monkeypatch.setenv("DATABASE_URL", server.url("tracker", "app"))
    importlib.import_module("tracker.main").create()
    assert served(["flask", "--app", "tracker.main", "run", "--port", "0"], ["/", "/first/1"]) == 0
    assert loads_one_by_one("queryproof-journal") == {"Project.issues", "Issue.assignee"}
    diff = check_edits(copy, "tracker")
    assert "+from sqlalchemy.orm import Session, selectinload\n" in diff
    assert ".options(selectinload(Project.issues).joinedload(Issue.assignee))\n" in diff
    report = from_json((copy / "queryproof-report" / "report.json").read_bytes())
    facts = [fact.value for finding in report.findings for fact in finding.facts]
    assert "tracker/templates/overview.html:5" in facts
    for name in ("tracker.main", "tracker.models", "tracker"):
        del sys.modules[name]
    application = importlib.import_module("tracker.main")
    with record(directory="again"):
        assert application.app.test_client().get("/").status_code == 200
    application.engine.dispose()
    assert not loads_one_by_one("again")


def test_bookshop(copy: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.create_database("bookshop")
    monkeypatch.setenv("DATABASE_URL", server.url("bookshop", "app").replace("psycopg2", "asyncpg"))
    assert served(["uvicorn", "bookshop.main:app", "--port", "0"], ["/authors", "/stars", "/books"]) == 0
    assert loads_one_by_one("queryproof-journal") == {"Author.books", "Book.reviews"}
    diff = check_edits(copy, "bookshop")
    assert ".options(selectinload(Author.books).selectinload(Book.reviews))" in diff
    application = importlib.import_module("bookshop.main")

    async def ask() -> None:
        transport = httpx.ASGITransport(app=application.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for path in ("/authors", "/stars", "/books"):
                assert (await client.get(path)).status_code == 200
        await application.engine.dispose()

    with record(directory="again"):
        asyncio.run(ask())
    assert not loads_one_by_one("again")
