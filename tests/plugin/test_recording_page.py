"""docs/recording.md: its files are written, its commands and examples are run, and what it claims of them is checked."""

import asyncio
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from queryproof.analyzer.sources.journal import read_recording
from queryproof.cli import main

from .project import PLAIN, SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "recording.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == language]


def files() -> dict[str, str]:
    return {text.partition("\n")[0].removeprefix("# "): text for text in blocks("python")}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if f"{name}.py" in files():
            del sys.modules[name]


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def scopes(directory: Path) -> dict[tuple[str, str, int], int]:
    counted: dict[tuple[str, str, int], int] = {}
    for query in read_recording(directory).queries:
        assert query.scope is not None
        key = (query.scope.kind, query.scope.name, query.scope.id)
        counted[key] = counted.get(key, 0) + 1
    return counted


def test_every_example_is_a_file_with_a_name() -> None:
    assert all(re.fullmatch(r"\w+\.py", name) for name in files())
    assert len(files()) == len(blocks("python")) == 13


def test_the_commands(place: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    (place / "pytest.ini").write_text(SETTINGS)
    told = ""
    for line in "".join(blocks("console")).splitlines():
        program, *arguments = line.split()
        if program == "pytest":
            result = pytester.runpytest_inprocess(*PLAIN, *arguments)
            result.assert_outcomes(passed=5, xfailed=1)
            told += result.stdout.str()
        else:
            assert program == "queryproof"
            answer = CliRunner().invoke(main, [sys.executable if word == "python" else word for word in arguments])
            assert answer.exit_code == 0, answer.output
            told += answer.output
    assert told.count("Load Author.books together with the query") == 2
    assert "queryproof-budgets.json: 5 of 5 budgets written anew, stale ones removed: 0" in told
    assert "queryproof-budgets.json fits: 5 tests" in told
    assert told.count("with Author.books loaded eagerly: 11 queries → 2, ") == 2


def test_the_commands_of_the_readme_are_those_of_the_page() -> None:
    told = (
        (PAGE.parents[1] / "README.md").read_text().partition("## Bound the queries of tests")[2].partition("\n## ")[0]
    )
    commands = {line.partition("#")[0].strip() for line in BLOCK.findall(told)[0][1].splitlines()}
    assert len(commands) == 4
    assert commands <= set("".join(blocks("console")).splitlines())


def test_records_and_scopes_in_code(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("shop").fill(10)
    load("nightly")
    assert len(read_recording(place / "nightly-journal").queries) == 11
    load("blocks")
    assert capsys.readouterr().out.startswith("11 queries, ")
    assert [key[:2] for key in scopes(place / "blocks-journal")] == [("block", "author list")]
    assert load("pool").nightly.queries == 33
    assert list(scopes(place / "pool-journal").values()) == [33]
    load("consumer")
    assert list(scopes(place / "consumer-journal").values()) == [11, 11, 11]
    assert {key[:2] for key in scopes(place / "consumer-journal")} == {("task", "handle message")}


def test_celery_tasks_are_scopes(place: Path) -> None:
    import queryproof

    load("shop").fill(10)
    task = load("tasks").send_newsletter
    with queryproof.record(None, place / "j"):
        assert task.apply().get() == [1] * 10
    assert next(iter(scopes(place / "j")))[:2] == ("task", "tasks.send_newsletter")


async def ask(app: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        return await client.get(path)


def test_web_applications(place: Path) -> None:
    import queryproof

    load("shop").fill(10)
    with queryproof.record(None, place / "j"):
        api = asyncio.run(ask(load("api").app, "/authors/7"))
        site = asyncio.run(ask(load("website").app, "/"))
        with httpx.Client(transport=httpx.WSGITransport(app=load("pages").app), base_url="http://shop") as client:
            pages = client.get("/authors/7")
    assert api.json() == [1] * 10
    for answer in (api, site, pages):
        assert re.fullmatch(r'db;dur=[\d.]+;desc="11 queries"', answer.headers["server-timing"])
    for answer in (site, pages):
        assert "10 books" in answer.text
        assert "lazy: Author.books" in answer.text
    names = {name for _, name, _ in scopes(place / "j")}
    assert names == {"GET /authors/{author_id}", "GET /", "GET /authors/<int:author_id>"}


def test_growth(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = files()["growth.py"]
    load("growth")
    assert capsys.readouterr().out.strip() == re.search(r"# (<Scaling.*>)", text)[1]  # type: ignore[index] # it is there
