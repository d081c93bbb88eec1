"""Queries of a class that only the run knows, and classes that a star import brings."""

import ast
from dataclasses import replace

import pytest

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import LoaderEdit
from queryproof.analyzer.source_edit.cannot_edit import CannotEdit
from queryproof.analyzer.source_edit.edit_source import edit_source
from queryproof.analyzer.source_edit.runtime_class import runtime_class

REPOSITORY = """
from sqlalchemy import select
from shop.models import Author, Book as Volume

class Repository:
    def page(self, limit, offset):
        return self.session.scalars(select(self.model).limit(limit).offset(offset)).all()  # self.model

    def built_before(self):
        statement = select(self.model).order_by(self.model.id)
        return self.session.scalars(statement).all()  # self.model

    def query(self):
        return self.session.query(self.model)

    def built_in_a_method(self):
        return self.query().all()  # self.model

    def key(self, number):
        return self.session.get(self.model, number)  # self.model

    def run(self, statement):
        return self.session.scalars(statement).all()  # None

    def named(self):
        return self.session.scalars(select(Author)).all()  # None

    def by_another_name(self):
        return self.session.scalars(select(Volume)).all()  # None

    def of_a_dictionary(self, headers):
        headers.get(self.name)  # None
        return self.session.scalars(build()).all()

def of_a_parameter(session, model):
    return session.scalars(select(model)).all()  # model

def of_a_table(session, name):
    return session.scalars(select(MODELS[name])).all()  # MODELS[name]

top = session.scalars(select(Author)).all()  # None
"""


def marked() -> list[tuple[int, str]]:
    lines = REPOSITORY.splitlines()
    return [(number, line.partition("# ")[2]) for number, line in enumerate(lines, 1) if "  # " in line]


@pytest.mark.parametrize(("line", "entity"), marked())
def test_what_the_class_stands_for_is_found_where_the_query_is_sent(line: int, entity: str) -> None:
    root = "Book" if "Volume" in REPOSITORY.splitlines()[line - 1] else "Author"
    assert str(runtime_class(ast.parse(REPOSITORY), line, root)) == entity


def edit(line: int, function: str, option: str, classes: tuple[tuple[str, str], ...] = ()) -> LoaderEdit:
    loaders = ("selectin_polymorphic",) if "polymorphic" in option else ("selectinload",)
    return LoaderEdit(CallSite("app.py", line, function), "Author", option, loaders, classes)


def test_such_a_query_gets_no_edit_and_the_reason_says_what_to_do_instead() -> None:
    for line, entity in marked():
        if entity.startswith("self."):
            function = next(one for one in reversed(REPOSITORY.splitlines()[:line]) if "def " in one)
            name = f"Repository.{function.split('def ')[1].partition('(')[0]}"
            with pytest.raises(
                CannotEdit, match=r"asks for `self\.model`, which need not be Author in other calls.*hand this one in"
            ):
                edit_source(REPOSITORY, edit(line, name, "selectinload(Author.books)"))


FIXED = (
    f"# {'-' * 112}\n"
    + """from sqlalchemy import select
from sqlalchemy.orm import selectinload
from . import models

class Repository:
    model = models.Author

    def all(self):
        return self.session.scalars(select(self.model)).all()
"""
)


def test_a_class_that_the_repository_names_itself_is_known_unless_it_may_be_another() -> None:
    made = edit(10, "Repository.all", "selectinload(Author.books)")
    assert runtime_class(ast.parse(FIXED), 10, "Author") is None
    assert "select(self.model).options(selectinload(models.Author.books))" in edit_source(FIXED, made)
    for open_ in (
        f"{FIXED}\nclass Books(Repository):\n    model = models.Book\n",
        f"{FIXED}\nclass Books(Repository[models.Book]):\n    model = models.Book\n",
        f"{FIXED}\n    def __init__(self, model=None):\n        self.model = model or self.model\n",
        f"{FIXED}\nRepository.model: type = models.Book\n",
        FIXED.replace("models.Author", "models.Base"),
        FIXED.replace("    model =", "    model = models.Book\n    model ="),
    ):
        line = 1 + next(n for n, one in enumerate(open_.splitlines()) if "select(self.model)" in one)
        assert runtime_class(ast.parse(open_), line, "Author") == "self.model"
        with pytest.raises(CannotEdit, match=r"asks for `self\.model`"):
            edit_source(open_, replace(made, place=replace(made.place, line=line)))


STARS = """from sqlalchemy import *
from sqlalchemy.orm import *
from .models import *

def f(session):
    for author in session.scalars(select(Author)):
        print(author.books)

def g(session):
    return session.scalars(select(Novelist))
"""


@pytest.mark.parametrize(
    ("option", "classes", "line"),
    [
        ("selectinload(Author.books)", (("Author", "shop.models"),), "select(Author).options(selectinload(Author.books))"),
        ("selectinload(Author.books)", (("Author", ""),), "select(Author).options(selectinload(Author.books))"),
        ("selectin_polymorphic(Author, [Novelist])", (), "select(Author).options(selectin_polymorphic(Author, [Novelist]))"),
        (
            "selectinload(Author.books).selectinload(Book.tags)", (("Author", "shop.models"), ("Book", "shop.models")),
            "select(Author).options(selectinload(Author.books).selectinload(Book.tags))",
        ),
    ],
)  # fmt: skip
def test_a_star_import_brings_the_classes_that_the_file_uses_or_the_run_has_told_of(
    option: str, classes: tuple[tuple[str, str], ...], line: str
) -> None:
    edited = edit_source(f"# {'-' * 112}\n{STARS}", edit(7, "f", option, classes))
    assert line in edited
    assert edited.count("import") == STARS.count("import")


def test_a_class_of_another_module_than_the_star_is_imported_by_name_and_one_of_no_known_home_is_not_guessed() -> None:
    option = "selectinload(Author.books).selectinload(Book.tags)"
    edited = edit_source(STARS, edit(6, "f", option, (("Book", "shop.models.books"),)))
    assert "from shop.models.books import Book\n" in edited
    with pytest.raises(CannotEdit, match="where the class Book is defined is not known"):
        edit_source(STARS, edit(6, "f", option))
