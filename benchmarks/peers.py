"""`python -m benchmarks.peers`: the corpus of ORM scenarios under other tools, each in a process of its own on one server.

A fault counts as found when the tool says anything at all of the scenario, a clean one as silent when it says nothing. Further
figures: how often what it says names the line of the query that is to be edited, and the option that mends it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from queryproof.analyzer.postgres.server import Server
from queryproof.rules.finding import Finding
from tests.orm_corpus.library import Library
from tests.orm_corpus.scenarios import ALL

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".bench" / "peers"
PACKAGES = (
    "sqlalchemy[asyncio]==2.1.9", "psycopg2-binary", "asyncpg",
    "pytest-queryguard==0.4.1", "queryspy==0.6.0", "pytest-querycount==0.4.0",
)  # fmt: skip
PEERS = ("pytest-queryguard", "queryspy", "pytest-querycount")
Told = Mapping[str, Sequence[str]]


def install() -> Path:
    """The Python of an environment of its own with the peers, made when it is not there."""
    python = PLACE / "bin" / "python"
    if not (PLACE / ".set-up").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        (PLACE / ".set-up").touch()
    return python


def ask_peer(python: Path, peer: str, url: str) -> Told:
    """What the peer says of each scenario."""
    # One scenario hands its place on to threads by `queryproof.propagate`.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / ".typing")))}
    command = [str(python), "-W", "ignore", str(ROOT / "benchmarks" / "peers_worker.py"), peer, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    told: dict[str, Sequence[str]] = {}
    for line in done.stdout.splitlines():
        answer: dict[str, Any] = json.loads(line)
        told[answer["name"]] = answer["told"]
        if answer["failed"]:
            print(f"{answer['name']} fails under {peer}: {answer['failed']}", file=sys.stderr)
    return told


def ask_ourselves(library: Library, names: Sequence[str] = ()) -> Told:
    """The same of queryproof, of all scenarios or of those: message, place and code of each finding."""
    told: dict[str, Sequence[str]] = {}
    # In a thread, as a server runs them: below a script's own top, requests without a scope could not be told from a loop.
    with ThreadPoolExecutor(1) as thread, redirect_stdout(StringIO()):
        for scenario in ALL:
            if names and scenario.name not in names:
                continue
            with tempfile.TemporaryDirectory(prefix="queryproof-") as place:
                findings = thread.submit(library.run, scenario, "psycopg2", Path(place)).result()
            told[scenario.name] = [_text(finding) for finding in findings]
    return told


def _text(finding: Finding) -> str:
    place = f"{finding.place.file}:{finding.place.line}" if finding.place is not None else ""
    return "\n".join(
        (finding.message, place, *(code.text for code in (finding.remedy.code if finding.remedy is not None else ())))
    )


def table(answers: Mapping[str, Told]) -> str:
    """Markdown: found of the faulty by rule, silent of the clean, places and options named."""
    rules = list(dict.fromkeys(one.rule for one in ALL if one.rule is not None))
    lines = [f"| | scenarios | {' | '.join(answers)} |", f"|---|---|{'---|' * len(answers)}"]
    for rule in sorted(rules):
        named = [one.name for one in ALL if one.rule == rule]
        lines.append(_row(rule, len(named), [sum(bool(told[name]) for name in named) for told in answers.values()]))
    faulty = [one for one in ALL if one.rule is not None]
    clean = [one for one in ALL if one.rule is None]
    options = [one for one in faulty if one.option]
    found = [sum(bool(told[one.name]) for one in faulty) for told in answers.values()]
    placed = [
        sum(any(f":{one.origin}" in text for text in told[one.name]) for one in faulty) for told in answers.values()
    ]
    named_options = [
        sum(any(one.option in text for text in told[one.name]) for one in options) for told in answers.values()
    ]
    silent = [sum(not told[one.name] for one in clean) for told in answers.values()]
    lines += [
        _row("**faulty: found**", len(faulty), found),
        _row("faulty: the line to edit is named", len(faulty), placed),
        _row("faulty: the loader option that mends it is named", len(options), named_options),
        _row("**clean: silent**", len(clean), silent),
    ]
    return "\n".join(lines)


def _row(name: str, total: int, counts: Sequence[int]) -> str:
    return f"| {name} | {total} | {' | '.join(map(str, counts))} |"


if __name__ == "__main__":
    interpreter = install()
    with Server() as server:
        server.create_database("peers")
        address = server.url("peers", "app")
        ours = Library(address)
        print(
            table({"queryproof": ask_ourselves(ours)} | {peer: ask_peer(interpreter, peer, address) for peer in PEERS})
        )
