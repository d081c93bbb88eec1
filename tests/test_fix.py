"""`queryproof fix`: what it prints, what it writes, and when it refuses."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from queryproof import record
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.cli import main
from queryproof.reports.report import Report
from queryproof.reports.write import write_reports

PROGRAM = '''"""Two queries, each followed by one for every author."""

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


def first(session: Session) -> int:
    return sum(len(author.books) for author in session.scalars(select(Author)))


def second(session: Session) -> int:
    return sum(len(author.books) for author in session.query(Author).order_by(Author.id))


def run(engine) -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Author(id=n, books=[Book()]) for n in range(1, 7)])
        session.commit()
    for read in (first, second):
        with Session(engine) as session:
            assert read(session) == 6
'''


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the program and its report."""
    directory = tmp_path_factory.mktemp("fix")
    (directory / "shop.py").write_text(PROGRAM)
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.chdir(directory)
        space: dict[str, object] = {"__name__": "shop"}
        engine = create_engine("sqlite://")
        with record(directory="journal"):
            exec(compile(PROGRAM, str(directory / "shop.py"), "exec"), space)
            space["run"](engine)  # type: ignore[operator] # the program's function
        engine.dispose()
        write_reports(analyze(AnalysisRequest(journal=Path("journal"))), Path("queryproof-report"))
    return directory


@pytest.fixture
def work(analyzed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(analyzed, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fix(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fix", *arguments])


def ids(work: Path) -> dict[str, str]:
    """Id of the edit in each function of the program."""
    report = msgspec.json.decode((work / "queryproof-report/report.json").read_bytes(), type=Report)
    return {one.edit.place.function.partition(".")[0]: one.id for one in report.recommendations if one.edit is not None}


def test_the_diff_is_one_that_git_applies_and_the_same_that_apply_makes(work: Path) -> None:
    shown = fix()
    assert shown.exit_code == 0
    assert (work / "shop.py").read_text() == PROGRAM
    assert "nothing is written" in shown.stderr
    assert shown.stdout.count("+++ b/shop.py") == 1
    subprocess.run(["git", "apply", "--check", "-"], input=shown.stdout, text=True, check=True, cwd=work)
    subprocess.run(["git", "apply", "-"], input=shown.stdout, text=True, check=True, cwd=work)
    applied = (work / "shop.py").read_text()
    (work / "shop.py").write_text(PROGRAM)
    made = fix("--apply")
    assert made.exit_code == 0
    assert "edited shop.py" in made.stderr
    assert (work / "shop.py").read_text() == applied
    whole = "".join(applied.split())
    assert "session.scalars(select(Author).options(selectinload(Author.books)))" in whole
    assert "session.query(Author).order_by(Author.id).options(selectinload(Author.books" in whole


@pytest.mark.parametrize(
    ("head", "encoding"),
    [("\ufeff", "utf-8"), ("# coding: latin-1\n# é", "latin-1"), ("# coding: cp1252\n# €", "cp1252")],
)
def test_git_applies_the_diff_of_a_file_of_another_encoding(work: Path, head: str, encoding: str) -> None:
    file = work / "shop.py"
    # The lines stay where they were: the first two hold what is special.
    lines = [*head.split("\n"), "", ""][:2] + PROGRAM.split("\n")[2:]
    before = "\n".join(lines).encode(encoding)
    file.write_bytes(before)
    shown = fix()
    assert shown.exit_code == 0, shown.output
    patch = shown.stdout_bytes
    (work / "edits.patch").write_bytes(patch)
    subprocess.run(["git", "init", "--quiet"], cwd=work, check=True)
    subprocess.run(["git", "apply", "edits.patch"], cwd=work, check=True)
    applied = file.read_bytes()
    assert applied != before
    assert applied.startswith(head.encode(encoding))
    assert "selectinload(Author.books)" in applied.decode(encoding)


def test_one_edit_is_chosen_by_the_beginning_of_its_id(work: Path) -> None:
    shown = fix("--id", ids(work)["second"][:10])
    assert shown.exit_code == 0
    assert "session.query(Author)" in shown.stdout
    assert "session.scalars(select(Author).options" not in shown.stdout
    report = str(work / "queryproof-report" / "report.json")
    assert fix(report, "--id", ids(work)["second"]).stdout == shown.stdout
    unknown = fix("--id", "zz")
    assert unknown.exit_code == 2
    assert all(one in unknown.stderr for one in ids(work).values())
    both = fix("--id", "")
    assert both.exit_code == 2
    assert "several edits have the id" in both.stderr


def test_a_file_that_has_changed_is_not_written(work: Path) -> None:
    for before, after in (
        ("def first(session: Session) -> int:\n", "def first(session: Session) -> int:\n    print()\n"),
        ("from sqlalchemy import ForeignKey, select", "from sqlalchemy import ForeignKey, select, text"),
        ("session.scalars(select(Author))", "session.scalars(select(Author).limit(3))"),
    ):
        changed = PROGRAM.replace(before, after)
        (work / "shop.py").write_text(changed)
        refused = fix("--apply")
        assert refused.exit_code == 2
        assert "nothing is written" in refused.stderr
        assert (work / "shop.py").read_text() == changed
    (work / "shop.py").write_text(PROGRAM)
    assert fix("--apply").exit_code == 0
    again = fix("--apply")
    assert again.exit_code == 2
    assert "is not as it was" in again.stderr


def test_a_file_that_is_read_only_stays_as_it_is(work: Path) -> None:
    (work / "shop.py").chmod(0o444)
    refused = fix("--apply")
    assert refused.exit_code == 2
    assert "shop.py is read-only: nothing is written" in refused.stderr
    assert (work / "shop.py").read_text() == PROGRAM


def test_what_cannot_be_done_is_one_message(work: Path, tmp_path: Path) -> None:
    missing = fix("nowhere")
    assert missing.exit_code == 2
    assert "write one with `queryproof analyze`" in missing.stderr
    (tmp_path / "other.json").write_text("{}")
    assert fix("other.json").exit_code == 2
    (work / "shop.py").unlink()
    gone = fix()
    assert gone.exit_code == 2
    assert gone.stderr.count("there is no file shop.py") == 2
    report = msgspec.json.decode((work / "queryproof-report/report.json").read_bytes(), type=Report)
    write_reports(replace(report, recommendations=()), tmp_path / "empty")
    empty = fix("empty")
    assert empty.exit_code == 0
    assert "holds no edit of source code" in empty.stderr
