"""Edits made from a real recording, in a real program: run again, it answers the same with fewer queries."""

import asyncio
import importlib
import inspect
import py_compile
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from queryproof import record
from queryproof.analyzer.query import RecordedQuery
from queryproof.analyzer.recommendation import LoaderEdit
from queryproof.analyzer.source_edit.loader_diff import edited_file
from queryproof.analyzer.source_edit.source import write_source
from queryproof.analyzer.sources.journal import read_journal

HERE = Path(__file__).parent
QUERIES = {
    "nested": (31, 3), "option_beside": (11, 1), "to_one": (11, 1), "got": (4, 3), "got_over_lines": (4, 3),
    "several_entities": (11, 1), "recursive": (8, 4), "chained": (4, 2), "counted_too": (12, 3), "option_to_go_on_from": (22, 3),
    "of_a_subclass": (6, 3), "of_two_subclasses": (11, 5), "another_subclass_beside": (7, 4), "of_the_base": (6, 2),
    "with_polymorphic_root": (6, 2),
}  # fmt: skip
"""Queries of the shapes that do not send one for the authors and one for each of ten, and then two."""


def fill(path: Path, models: Any) -> None:
    engine = create_engine(f"sqlite:///{path}")
    models.Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([models.Publisher(id=n) for n in range(1, 11)])
        session.add_all([models.Author(id=n) for n in range(1, 11)])
        session.add_all(
            [models.Book(id=n, author_id=(n - 1) // 2 + 1, publisher_id=(n - 1) % 10 + 1) for n in range(1, 21)]
        )
        session.add_all([models.Tag(id=n, book_id=(n - 1) // 2 + 1) for n in range(1, 41)])
        session.add_all([models.Node(id=n, parent_id=n // 2 or None) for n in range(1, 8)])
        kinds = (models.Person, models.Teacher, models.Student)
        session.add_all([kinds[n % 3](id=n, notes=[models.Note(id=n)]) for n in range(1, 16)])
        session.flush()
        session.add_all([models.Lesson(id=n, teacher_id=1 + n % 5 * 3) for n in range(1, 11)])
        session.add_all([models.Exam(id=n, student_id=2 + n % 5 * 3) for n in range(1, 11)])
        session.commit()
    engine.dispose()


def run_all(module: ModuleType, database: Path, journal: Path) -> dict[str, object]:
    """Each shape in a session of its own, recorded; what each has returned."""
    engine = create_engine(f"sqlite:///{database}")
    answers: dict[str, object] = {}
    shapes = [
        function for name, function in vars(module).items()
        if inspect.isfunction(function) and list(inspect.signature(function).parameters) == ["session"]
    ]  # fmt: skip

    async def run_async(function: Callable[[AsyncSession], Any]) -> object:
        async_engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
        async with AsyncSession(async_engine) as session:
            answer: object = await function(session)
        await async_engine.dispose()
        return answer

    with record(directory=journal):
        for function in shapes:
            if inspect.iscoroutinefunction(function):
                answers[function.__name__] = asyncio.run(run_async(function))
            else:
                with Session(engine) as session:
                    answers[function.__name__] = function(session)
    engine.dispose()
    return answers


def counts(journal: Path) -> dict[str, int]:
    """Queries of each shape: by the outermost function of the program that sent them."""
    found: dict[str, int] = defaultdict(int)
    for query in read_journal(journal)[0]:
        places = [
            one for one in query.stack if one.file.endswith("shapes.py") and not one.file.endswith("test_shapes.py")
        ]
        found[places[-1].function.partition(".<locals>")[0]] += 1
    return found


def edits_of(queries: list[RecordedQuery]) -> list[LoaderEdit]:
    edits: dict[tuple[object, ...], LoaderEdit] = {}
    for load in (one.orm for one in queries if one.orm is not None):
        check = load.check
        if check is not None and load.origin is not None and load.root is not None:
            assert check.problem is None
            edits[load.origin, load.path] = LoaderEdit(
                load.origin, load.root, check.option, check.loaders, check.classes, check.replaces, check.aliased
            )
    return list(edits.values())


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "library"
    package.mkdir()
    for name in ("models.py", "shapes.py"):
        shutil.copy(HERE / name, package / name)
    (package / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "library"]:
        del sys.modules[name]


def test_every_shape_is_edited_so_that_it_sends_fewer_queries(program: Path, tmp_path: Path) -> None:
    shapes = importlib.import_module("library.shapes")
    fill(tmp_path / "library.db", shapes.models)
    answers = run_all(shapes, tmp_path / "library.db", tmp_path / "before")
    before = counts(tmp_path / "before")
    edits = edits_of(read_journal(tmp_path / "before")[0])
    edited = edited_file(edits, tmp_path)
    write_source(edited.source, edited.text)
    py_compile.compile(str(program / "shapes.py"), cfile=str(tmp_path / "shapes.pyc"), doraise=True)
    for name in ("library.shapes", "library.models", "library"):
        del sys.modules[name]
    again = importlib.import_module("library.shapes")
    assert run_all(again, tmp_path / "library.db", tmp_path / "after") == answers
    after = counts(tmp_path / "after")
    assert {name: (before[name], after[name]) for name in before} == {
        name: QUERIES.get(name, (11, 2)) for name in answers
    }
    assert not edits_of(read_journal(tmp_path / "after")[0])
