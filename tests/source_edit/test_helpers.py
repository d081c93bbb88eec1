"""Statements that functions of other files make: the option goes to the execution, in names of its own file."""

from pathlib import Path

import pytest

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.recommendation import LoaderEdit
from queryproof.analyzer.source_edit.cannot_edit import CannotEdit
from queryproof.analyzer.source_edit.edit_source import edit_source

WIDE = f"# {'-' * 112}\n"
HEAD = f"{WIDE}from sqlalchemy.orm import selectinload\nfrom shop.models import Author, Book\n"
QUERIES = """from sqlalchemy import select
from .models import Author, Book

def authors(prefix=""):
    statement = select(Author)
    return statement.where(Author.name.startswith(prefix))

def either(flag):
    if flag:
        return select(Author)
    return select(Book)

def books():
    return select(Book)

def lazy_authors():
    return select(Author).options(lazyload(Author.books))

class Authors:
    @staticmethod
    def active(limit):
        return select(Author).limit(limit)

    def authors(self):
        return select(Book)
"""
FILES = {
    "shop/__init__.py": "",
    "shop/models.py": "",
    "shop/queries.py": QUERIES,
    "shop/offered/__init__.py": "from ..queries import Authors, authors\n",
    "shop/broken.py": "def authors(:\n",
}
FOLLOWED = {
    "from .queries import authors": "authors('a')",
    "from .queries import authors as found": "found(prefix).limit(5)",
    "from shop.queries import authors": "authors()",
    "from . import queries": "queries.authors()",
    "import shop.queries": "shop.queries.authors()",
    "import shop.queries as q": "q.authors().order_by(None)",
    "from shop.queries import Authors": "Authors.active(5)",
    "from .offered import authors": "authors()",
    "from shop import offered": "offered.Authors.active(5)",
    "from .offered import Authors": "Authors.active(limit)",
}
LEFT = {
    "from .queries import either": "either(True)",
    "from .queries import books": "books()",
    "from .queries import Authors": "Authors.missing()",
    "from .elsewhere import authors": "authors()",
    "from ...queries import authors": "authors()",
    "from .broken import authors": "authors()",
    "from os import authors": "authors()",
    "authors = None": "authors()",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def edited(directory: Path, imports: str, statement: str, **more: object) -> str:
    """The last line of a file of the package that sends the statement."""
    text = f"{WIDE}{imports}\n\ndef f(session, prefix, limit):\n    return session.scalars({statement}).all()\n"
    place = CallSite("shop/views.py", 5, "f")
    classes = (("Author", "shop.models"),)
    edit = LoaderEdit(place, "Author", "selectinload(Author.books)", ("selectinload",), classes, **more)  # type: ignore[arg-type] # replaces
    after = edit_source(text, edit, directory)
    assert "from shop.models import Author\n" in after
    return after.splitlines()[-1].strip()


@pytest.mark.parametrize("imports", FOLLOWED)
def test_a_helper_of_another_file_is_followed(imports: str, shop: Path) -> None:
    statement = FOLLOWED[imports]
    option = "options(selectinload(Author.books))"
    assert edited(shop, imports, statement) == f"return session.scalars({statement}.{option}).all()"


@pytest.mark.parametrize("imports", LEFT)
def test_what_cannot_be_told_gets_no_edit(imports: str, shop: Path) -> None:
    with pytest.raises(CannotEdit, match="holds no statement of Author that can be followed"):
        edited(shop, imports, LEFT[imports])


def test_an_option_of_the_helper_is_not_replaced_from_outside(shop: Path) -> None:
    with pytest.raises(
        CannotEdit, match=r"returned by lazy_authors\(\) of shop/queries\.py, line 17.*change it by hand"
    ):
        edited(shop, "from .queries import lazy_authors", "lazy_authors()", replaces=(("lazyload", "Author.books"),))


def test_a_limit_that_comes_in_is_not_taken_for_the_statement(shop: Path) -> None:
    text = (
        "from .queries import authors\n\ndef f(repository, limit, statement):\n"
        "    a = repository.page(authors(), limit=limit)\n    b = repository.page(other(), limit)\n    c = repository.all(statement)\n"
    )
    for line, said in ((5, "holds no statement"), (6, "comes in as the parameter `statement`")):
        edit = LoaderEdit(
            CallSite("shop/views.py", line, "f"), "Author", "selectinload(Author.books)", ("selectinload",), ()
        )
        with pytest.raises(CannotEdit, match=said):
            edit_source(text, edit, shop)
    edit = LoaderEdit(CallSite("shop/views.py", 4, "f"), "Author", "selectinload(Author.books)", ("selectinload",), (("Author", "shop.models"),))  # fmt: skip
    assert "repository.page(authors().options(selectinload(Author.books)), limit=limit)" in edit_source(
        text, edit, shop
    )


def test_a_file_that_is_empty_now_is_told_of() -> None:
    edit = LoaderEdit(CallSite("shop/views.py", 4, "f"), "Author", "selectinload(Author.books)", ("selectinload",), ())
    with pytest.raises(CannotEdit, match="the file holds no code"):
        edit_source("", edit)


def test_a_query_that_a_repository_begins_is_known_by_the_class_in_its_conditions() -> None:
    text = f"{HEAD}def f(repository):\n    return repository.query().filter({{}}).order_by(Book.id).all()\n"
    place = CallSite("shop/views.py", 5, "f")
    edit = LoaderEdit(place, "Author", "selectinload(Author.books)", ("selectinload",), ())
    added = ".order_by(Book.id).options(selectinload(Author.books)).all()"
    assert added in edit_source(text.format("Author.id == 1"), edit)
    for other in ("Book.title == 1", "", "author.id == 1"):
        with pytest.raises(CannotEdit, match="holds no statement of Author"):
            edit_source(text.format(other), edit)
