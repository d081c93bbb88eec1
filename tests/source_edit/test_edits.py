"""Edits of single files: layout, imports, names; and every reason why there is none."""

import stat
import textwrap
from pathlib import Path

import pytest

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import LoaderEdit
from queryproof.analyzer.source_edit.cannot_edit import AlreadyThere, CannotEdit
from queryproof.analyzer.source_edit.edit_source import edit_source
from queryproof.analyzer.source_edit.loader_diff import edited_file, loader_diff
from queryproof.analyzer.source_edit.source import write_source

CLASSES = (("Author", "shop.models"), ("Book", "shop.models"))
BOOKS = "selectinload(Author.books)"
TAGS = "selectinload(Author.books).selectinload(Book.tags)"
WIDE = f"# {'-' * 112}\n"
"""The longest line tells the formatter's width."""
HEAD = f"{WIDE}from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Author, Book\n"


def edit_of(
    text: str, option: str = BOOKS, *, line: int = 0, function: str = "", root: str = "Author",
    replaces: tuple[tuple[str, str], ...] = (), aliased: bool = False, unique: bool = False, file: str = "app.py",
) -> LoaderEdit:  # fmt: skip
    """An edit at a line, the first that sends something when none is given."""
    lines = text.splitlines()
    line = line or next(n for n, one in enumerate(lines, 1) if "session." in one or "await" in one)
    function = function or ("f" if "def f(" in text else "<module>")
    loaders = tuple(name for name in ("selectinload", "joinedload") if name in option)
    return LoaderEdit(CallSite(file, line, function), root, option, loaders, CLASSES, replaces, aliased, unique)


def changed(text: str, option: str = BOOKS, **more: object) -> list[str]:
    """The lines that an edit adds."""
    text = textwrap.dedent(text)
    before = set(text.splitlines())
    after = edit_source(text, edit_of(text, option, **more))  # type: ignore[arg-type] # as edit_of takes them
    return [line for line in after.splitlines() if line not in before]


@pytest.mark.parametrize(
    ("imports", "added"),
    [
        ("from sqlalchemy.orm import Session", ["from sqlalchemy.orm import Session, selectinload"]),
        ("from sqlalchemy.orm import aliased, undefer", ["from sqlalchemy.orm import aliased, selectinload, undefer"]),
        ("from sqlalchemy.orm import undefer, aliased", ["from sqlalchemy.orm import undefer, aliased, selectinload"]),
        ("from sqlalchemy.orm import (\n    aliased,\n    undefer,\n)", ["    selectinload,"]),
        ("from sqlalchemy.orm import (\n    aliased\n)", ["    aliased,", "    selectinload"]),
        ("from sqlalchemy.orm import selectinload as eager", []),
        ("from sqlalchemy.orm import *", []),
        ("from sqlalchemy import orm", []),
        ("import sqlalchemy.orm as so", []),
        ("import sqlalchemy as sa\nX = sa.orm.Session", []),
        ("import sqlalchemy as sa", ["from sqlalchemy.orm import selectinload"]),
        ("from __future__ import annotations", ["from sqlalchemy.orm import selectinload"]),
    ],
)
def test_the_loader_is_reached_as_the_file_reaches_its_like(imports: str, added: list[str]) -> None:
    text = f"{imports}\nfrom shop.models import Author, select, session\nauthors = session.scalars(select(Author))\n"
    lines = changed(text)
    assert lines[:-1] == added
    names = {
        "as eager": "eager",
        "import orm": "orm.selectinload",
        "as so": "so.selectinload",
        "X =": "sa.orm.selectinload",
    }
    name = next((name for ending, name in names.items() if ending in imports), "selectinload")
    assert lines[-1] == f"authors = session.scalars(select(Author).options({name}(Author.books)))"


@pytest.mark.parametrize(
    ("imports", "added", "option"),
    [
        ("from .models import Author", ["from .models import Author, Book"], TAGS),
        ("from shop.models import Author", ["from shop.models import Author, Book"], TAGS),
        ("from shop import models", [], "selectinload(models.Author.books).selectinload(models.Book.tags)"),
        ("from shop.models import Author, Book as Volume", [], "selectinload(Author.books).selectinload(Volume.tags)"),
        ("from shop import Author", ["from shop.models import Book"], TAGS),
        ("from shop import Author, Book", [], TAGS),
    ],
)
def test_classes_are_named_as_the_file_names_them(imports: str, added: list[str], option: str) -> None:
    root = "models.Author" if "import models" in imports else "Author"
    text = f"{WIDE}from sqlalchemy.orm import selectinload\n{imports}\nx = session.scalars(select({root}))\n"
    lines = changed(text, TAGS)
    assert lines[:-1] == added
    assert lines[-1] == f"x = session.scalars(select({root}).options({option}))"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("(await session.scalars(select(Author))).all()", "(await session.scalars(select(Author).options({o}))).unique().all()"),
        ("await session.scalars(select(Author))", "(await session.scalars(select(Author).options({o}))).unique()"),
        ("session.scalars(select(Author)).all()", "session.scalars(select(Author).options({o})).unique().all()"),
        ("session.scalars(select(Author)).unique().all()", "session.scalars(select(Author).options({o})).unique().all()"),
        ("session.query(Author).all()", "session.query(Author).options({o}).all()"),
        ("session.execute(select(Author)).scalars()", "session.execute(select(Author).options({o})).unique().scalars()"),
    ],
)  # fmt: skip
def test_rows_are_made_unique_before_they_are_read(code: str, line: str) -> None:
    text = f"{HEAD}async def f():\n    return {code}\n"
    assert changed(text, "selectinload(Author.books)", unique=True) == ["    return " + line.format(o=BOOKS)]


def test_unique_and_a_variable() -> None:
    text = f"{HEAD}def f(session):\n    statement = select(Author)\n    return session.scalars(statement).all()\n"
    assert changed(text, unique=True) == [
        "    statement = select(Author).options(selectinload(Author.books))",
        "    return session.scalars(statement).unique().all()",
    ]


@pytest.mark.parametrize(
    ("before", "replaces", "after"),
    [
        ("lazyload(Author.books)", (("lazyload", "Author.books"),), BOOKS),
        ("raiseload(Author.books), load_only(Author.id)", (("raiseload", "Author.books"),), f"{BOOKS}, load_only(Author.id)"),
        ("load_only(Author.id)", (), f"load_only(Author.id), {BOOKS}"),
        ("orm.lazyload(models.Author.books)", (("lazyload", "Author.books"),), BOOKS),
    ],
)  # fmt: skip
def test_options_that_are_there(before: str, replaces: tuple[tuple[str, str], ...], after: str) -> None:
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author).options({before}))\n"
    assert changed(text, replaces=replaces) == [f"    return session.scalars(select(Author).options({after}))"]


def test_an_option_is_taken_away() -> None:
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author).options(joinedload(Author.books)).limit(5))\n"
    gone = (("joinedload", "Author.books"),)
    assert changed(text, "", replaces=gone) == ["    return session.scalars(select(Author).limit(5))"]


def test_an_alias_and_its_option() -> None:
    text = f"{HEAD}def f(session):\n    writer = aliased(Author)\n    return session.scalars(select(writer)).all()\n"
    assert changed(text, "selectinload({root}.books)", aliased=True) == [
        "    return session.scalars(select(writer).options(selectinload(writer.books))).all()"
    ]


def test_long_lines_are_broken() -> None:
    text = f"{HEAD}def f(session):\n    authors = session.scalars(select(Author).where(Author.name.like('A%')).order_by(Author.id)).all()\n"  # fmt: skip
    text = text.replace(WIDE, "")
    assert changed(text, TAGS) == [
        "    authors = session.scalars(",
        "        select(Author).where(Author.name.like('A%')).order_by(Author.id).options(",
        "            selectinload(Author.books).selectinload(Book.tags),",
        "        )",
        "    ).all()",
    ]


def test_a_line_within_a_text_is_not_broken() -> None:
    more = " + ".join(["1"] * 20)
    (line,) = changed(f'{HEAD}def f(session):\n    return f"{{{more} + len(session.scalars(select(Author)).all())}}"\n')
    assert len(line) > len(WIDE)
    assert "session.scalars(select(Author).options(selectinload(Author.books))).all()" in line


def test_options_of_get_are_broken_too() -> None:
    text = (
        f"{HEAD}def f(session):\n    author = session.get(Author, 1, options=[selectinload(Author.prizes)])\n".replace(
            WIDE, ""
        )
    )
    assert changed(text, TAGS) == [
        "    author = session.get(Author, 1, options=[",
        "        selectinload(Author.prizes),",
        "        selectinload(Author.books).selectinload(Book.tags),",
        "    ])",
    ]


def test_tabs_line_ends_encodings_and_the_last_line_stay(tmp_path: Path) -> None:
    bom = b"\xef\xbb\xbf"
    text = "from sqlalchemy.orm import Session\r\nfrom shop.models import Author\r\n\r\ndef f(session):\r\n\tname = 'é'\r\n\treturn session.scalars(select(Author))"  # fmt: skip
    for data in (
        bom + text.encode(),
        b"# -*- coding: latin-1 -*-\r\n" + text.encode("latin-1"),
        text.replace("\r\n", "\n").encode(),
    ):
        (tmp_path / "app.py").write_bytes(data)
        (tmp_path / "app.py").chmod(0o751)
        wanted = data.replace(b"import Session", b"import Session, selectinload").replace(
            b"select(Author)", b"select(Author).options(selectinload(Author.books))"
        )
        line = 1 + data.count(b"\n")
        edited = edited_file([edit_of(text, line=line)], tmp_path)
        assert edited.diff.endswith("\\ No newline at end of file\n")
        write_source(edited.source, edited.text)
        assert (tmp_path / "app.py").read_bytes() == wanted
        assert stat.S_IMODE((tmp_path / "app.py").stat().st_mode) == 0o751
        assert [path.name for path in tmp_path.iterdir()] == ["app.py"]


REFUSED = {
    "def f(session):\n    return session.execute(text('SELECT 1'))": "holds no statement of Author",
    "def f(session, statement):\n    return session.scalars(statement)": "comes in as the parameter `statement`",
    "def f(session):\n    return session.scalars(select(Author)), session.scalars(select(Author).limit(1))": "sends 2 statements",
    "def f(session, x):\n    if x:\n        s = select(Author)\n    else:\n        s = select(Author).limit(1)\n    return session.scalars(s)": "is built in 2 places",
    "def g(session):\n    return session.scalars(select(Author))\ndef f(): pass": "is in g now and was in f",
    "def f(session):\n    return session.refresh(author)": "takes no loader options",
    "def f(session):\n    selectinload = 1\n    return session.scalars(select(Author))": "means something else",
    "def f(session):\n    return session.get(Author, 1, **options)": "built elsewhere",
    "def f(session):\n    return session.scalars(select(Author)": "not valid Python",
    "def f(session):\n    return session.scalars(union(select(Author), select(Author)))": "holds no statement of Author",
    "def f(session):\n    return session.scalars(select(Author).options(selectinload(Author.books)))": "there already",
    "def f(session):\n    s = select(Author)\n    return [session.scalars(s) for s in many()], s": "holds no statement of Author",
    "def f(session):\n    s = select(Author)\n    return lambda s: session.scalars(s).all()": "holds no statement of Author",
    "def f(session):\n    return session.scalars(build())": "holds no statement of Author",
}  # fmt: skip


@pytest.mark.parametrize(("code", "reason"), REFUSED.items(), ids=list(REFUSED.values()))
def test_what_is_not_certain_is_refused_with_the_reason(code: str, reason: str) -> None:
    text = HEAD.replace("from sqlalchemy.orm import selectinload\n", "") + code + "\n"
    if "is there already" in reason or "there already" in reason:
        text = HEAD + code + "\n"
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "session." in one)
    with pytest.raises(CannotEdit, match=reason):
        edit_source(text, edit_of(text, line=line))


def test_scalar_cannot_be_made_unique_and_shared_options_cannot_be_replaced() -> None:
    text = f"{HEAD}def f(session):\n    return session.scalar(select(Author))\n"
    with pytest.raises(CannotEdit, match=r"session\.scalar\(\) cannot make rows unique"):
        edit_source(text, edit_of(text, unique=True))
    text = f"{HEAD}def f(session):\n    s = select(Author).options(lazyload(Author.books))\n    print(s)\n    return session.scalars(s)\n"
    gone = (("lazyload", "Author.books"),)
    with pytest.raises(CannotEdit, match="stands where other code uses the statement too"):
        edit_source(text, edit_of(text, replaces=gone))
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author).options(lazyload(Author.books).joinedload(Book.x)))\n"
    with pytest.raises(CannotEdit, match="loads more than the edit does"):
        edit_source(text, edit_of(text, replaces=gone))
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author))\n"
    with pytest.raises(CannotEdit, match="was not found in it"):
        edit_source(text, edit_of(text, replaces=gone))


def test_a_column_deferred_below_an_eager_load_is_undeferred_and_the_load_stays() -> None:
    undefer, gone = "defaultload(Author.books).undefer(Book.text)", (("defer", "Book.text"),)

    def options(present: str) -> str:
        text = f"{HEAD}def f(session):\n    return session.scalars(select(Author).options({present}))\n"
        after = "".join(edit_source(text, edit_of(text, undefer, replaces=gone)).split()).replace(",)", ")")
        return after.partition(".options(")[2].removesuffix("))").replace(",", ", ")

    assert options("joinedload(Author.books).defer(Book.text)") == f"joinedload(Author.books), {undefer}"
    assert options("orm.selectinload(Author.books).defer(Book.id).defer(Book.text), load_only(Author.id)") == (
        f"orm.selectinload(Author.books).defer(Book.id), load_only(Author.id), {undefer}"
    )
    assert options("defaultload(Author.books).defer(Book.text)") == undefer
    for chain in (
        "joinedload(Author.books).defer(Book.text).defer(Book.id)",
        "joinedload(Author.books).options(defer(Book.text))",
    ):
        with pytest.raises(CannotEdit, match="change it by hand"):
            options(chain)


def test_an_argument_of_get_may_have_any_name() -> None:
    for name in ("placeholder", "self.placeholder"):
        code = f"{HEAD}def f(session):\n    return session.get(Author, {name})\n"
        assert changed(code) == [f"    return session.get(Author, {name}, options=[selectinload(Author.books)])"]


def test_a_name_that_only_type_checkers_import() -> None:
    text = "from typing import TYPE_CHECKING\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Author\nif TYPE_CHECKING:\n    from shop.models import Book\ndef f(session):\n    return session.scalars(select(Author))\n"
    with pytest.raises(CannotEdit, match="Book is imported for type checkers alone"):
        edit_source(text, edit_of(text, TAGS))


@pytest.mark.parametrize(
    "option",
    [
        "__import__('os').system('x')", "selectinload(__import__('os').system('x'))", "selectinload(Author.books))\nimport os\n(x",
        "selectinload(Author.books, recursion_depth=open('x'))", "[selectinload(Author.books)]", "selectinload(*x)", "lambda: 1",
        "selectinload(Author.books.of_type(f()))", "print(Author.books)", "selectinload(Author.books)[0]",
    ],
)  # fmt: skip
def test_an_option_is_made_of_loaders_alone(option: str) -> None:
    """It comes from a journal or a report, which may be anyone's, and goes into the user's code."""
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author))\n"
    with pytest.raises(CannotEdit, match="is not"):
        edit_source(text, edit_of(text, option))


def test_a_module_name_is_a_name() -> None:
    text = "from sqlalchemy.orm import selectinload\nfrom shop import Author\ndef f(session):\n    return session.scalars(select(Author))\n"
    edit = edit_of(text, TAGS)
    for module in ("os; x", "shop models", "", "a..b", "a\nimport os"):
        hostile = LoaderEdit(edit.place, edit.root, edit.option, edit.loaders, (("Book", module),))
        with pytest.raises(CannotEdit, match="where the class Book is defined is not known"):
            edit_source(text, hostile)


def test_options_of_columns_and_a_class_of_unknown_home_that_the_file_imports() -> None:
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author))\n"
    edit = edit_of(text, "selectinload(Author.books).load_only(Book.id, Book.title)")
    bare = LoaderEdit(edit.place, edit.root, edit.option, edit.loaders, ())
    assert f".options({edit.option})" in edit_source(text, bare)
    columns = LoaderEdit(edit.place, edit.root, "undefer(Author.bio)", ("undefer",), ())
    assert "import selectinload, undefer\n" in edit_source(text, columns)


def test_files_that_are_not_edited(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "app.py").write_text("x = 1\n")
    (here / "link.py").symlink_to(tmp_path / "app.py")
    (here / "broken.py").write_bytes(b"# coding: utf-8\nx = '\xff'\n")
    (here / "short.py").write_text("x = 1\n")
    reasons = {
        "../app.py": "lies outside",
        str(tmp_path / "app.py"): "lies outside",
        "link.py": "lies outside",
        "none.py": "there is no file",
        "page.html": "is not a Python source file",
        "<stdin>": "is not a Python source file",
        "broken.py": "cannot be decoded",
        "short.py": "has 2 lines now",
    }
    for file, reason in reasons.items():
        with pytest.raises(CannotEdit, match=reason):
            loader_diff(edit_of("", line=7, function="f", file=file), here)


def test_an_edit_that_another_has_brought_is_no_second_one(tmp_path: Path) -> None:
    text = f"{HEAD}def f(session):\n    return session.scalars(select(Author))\n"
    (tmp_path / "app.py").write_text(text)
    both = edited_file([edit_of(text, TAGS), edit_of(text)], tmp_path)
    assert both.text == edited_file([edit_of(text), edit_of(text, TAGS)], tmp_path).text
    assert both.text.count("selectinload(Author.books)") == 1
    write_source(both.source, both.text)
    with pytest.raises(AlreadyThere):
        loader_diff(edit_of(text, TAGS), tmp_path)
