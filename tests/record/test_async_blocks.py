"""What SQLAlchemy sends at the end of a block in a task of its own is its leaver's."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Integer
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

from queryproof import record
from queryproof.analyzer.record import call_site
from queryproof.analyzer.sources.journal import read_recording


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "block_jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


async def add_jobs(engine: AsyncEngine) -> None:
    maker = async_sessionmaker(engine)
    for number in range(3):
        async with maker.begin() as session:
            session.add(Job(id=number))


@pytest.fixture
def engine(database: str) -> Iterator[AsyncEngine]:
    engine = create_async_engine(database.replace("psycopg2", "asyncpg"), poolclass=NullPool)
    yield engine
    asyncio.run(engine.dispose())


def test_writes_and_commits_of_a_block_have_its_line_and_its_task(engine: AsyncEngine, tmp_path: Path) -> None:
    async def work() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        with record(engine, tmp_path):
            task = asyncio.current_task()
            assert task is not None
            task.set_name("the one")
            await add_jobs(engine)

    asyncio.run(work())
    recording = read_recording(tmp_path)
    line = inspect.getsourcelines(add_jobs)[1] + 3
    commits = [one for one in recording.events if one.kind == "commit"]
    places = {(one.call_site and one.call_site.line, one.task) for one in recording.queries}
    places |= {(one.call_site and one.call_site.line, one.task) for one in commits}
    assert (places, len(commits), len(recording.queries)) == ({(line, "the one")}, 3, 3)


def test_nothing_stays_behind(engine: AsyncEngine, tmp_path: Path) -> None:
    import sqlalchemy.ext.asyncio.session as module

    block = vars(module)["_AsyncSessionContextManager"]
    before, finders = block.__aexit__, list(sys.meta_path)
    with record(engine, tmp_path):
        assert block.__aexit__ is not before
        with record(None, tmp_path / "second"):
            pass
        assert block.__aexit__ is not before
    assert (block.__aexit__, sys.meta_path) == (before, finders)


PROGRAM = """
import asyncio, sys
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

async def main(url):
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
    maker = async_sessionmaker(create_async_engine(url, poolclass=NullPool))
    for number in range(6):
        async with maker.begin() as session:
            await session.execute(text("CREATE TEMPORARY TABLE one (id int)"))

asyncio.run(main(sys.argv[1]))
"""


def test_a_package_that_is_imported_later_is_followed_too(database: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "queryproof", "record", "--output", str(tmp_path / "j")]
    command += ["--", sys.executable, str(program)]
    subprocess.run([*command, database.replace("psycopg2", "asyncpg")], check=True, cwd=tmp_path, timeout=60)
    commits = [one for one in read_recording(tmp_path / "j").events if one.kind == "commit"]
    assert {(one.call_site and one.call_site.line, one.task) for one in commits} == {(11, "Task-1")}


def test_an_installers_script_is_no_place_of_the_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_site, "_scripts", f"{tmp_path}/")
    monkeypatch.chdir(tmp_path)
    bodies = {
        "served": "import sys\nfrom served import main\nif __name__ == '__main__':\n    sys.exit(main())\n",
        "own": "import sys\nfrom shop import engine\nfor number in range(3):\n    print(engine)\n",
    }
    for name, body in bodies.items():
        (tmp_path / name).write_text(body)
    frame = sys._getframe()
    assert [call_site._application_file(str(tmp_path / name), frame) for name in bodies] == [None, "own"]
