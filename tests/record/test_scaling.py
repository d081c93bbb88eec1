"""How queries grow with the rows, counted on a real database; clear words for what cannot be judged."""

import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, create_engine, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

import queryproof
from queryproof import QueryproofError, scaling
from queryproof.analyzer.record.scaling import growth


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


class Shop:
    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        Base.metadata.create_all(self.engine)

    def fill(self, size: int) -> None:
        with Session(self.engine) as session:
            session.execute(delete(Book))
            session.execute(delete(Author))
            session.add_all([Author(id=n, books=[Book()]) for n in range(1, size + 1)])
            session.commit()

    def one_by_one(self, size: int) -> None:
        with Session(self.engine) as session:
            assert [len(author.books) for author in session.scalars(select(Author))] == [1] * size

    def together(self, size: int) -> None:
        with Session(self.engine) as session:
            rows = session.scalars(select(Author).options(selectinload(Author.books)))
            assert [len(author.books) for author in rows] == [1] * size


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(f"sqlite:///{tmp_path}/shop.db")


def test_lazy_loads_grow_with_the_rows_and_eager_ones_do_not(shop: Shop) -> None:
    found = scaling(shop.one_by_one, setup=shop.fill)
    assert (found.sizes, found.queries, found.growth) == ((2, 20, 200), (3, 21, 201), "linear")
    assert found.slope == pytest.approx(1)
    assert repr(found) == "<Scaling linear: {2: 3, 20: 21, 200: 201} queries by rows>"
    found.assert_at_most_linear()
    with pytest.raises(AssertionError) as error:
        found.assert_constant()
    lines = str(error.value).splitlines()
    assert lines[0] == "queries grow with the rows (linear, 1.00 a row): 3 for 2, 21 for 20, 201 for 200"
    assert lines[1].startswith("  200× (lazy load of Author.books): select ")
    assert re.fullmatch(r" +200× at .*test_scaling\.py:\d+ in .*one_by_one.*", lines[2])
    assert len(lines) == 3

    kept = scaling(shop.together, sizes=[20, 2], setup=shop.fill)
    kept.assert_constant()
    assert (kept.sizes, kept.queries) == ((2, 20), (2, 2))
    assert str(kept) == "the number of queries does not depend on the rows: 2 for 2, 2 for 20"


def test_coroutine_functions_run_in_one_loop(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    loops = set()

    async def fill(size: int) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS t (n int)"))

    async def work(size: int) -> None:
        loops.add(asyncio.get_running_loop())
        async with AsyncSession(engine) as session:
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
            for _ in range(size):
                await session.execute(text("SELECT n FROM t"))
        if size == 20:
            await engine.dispose()

    assert scaling(work, sizes=(2, 20), setup=fill).queries == (2, 20)
    assert len(loops) == 1


def test_a_coroutine_function_is_counted_size_by_size_without_a_setup_too(shop: Shop) -> None:
    async def work(size: int) -> None:
        with shop.engine.connect() as connection:
            for _ in range(size):
                connection.execute(text("SELECT 1"))

    assert scaling(work).queries == (2, 20, 200)
    with pytest.raises(AssertionError, match="linear"):
        scaling(work).assert_constant()


async def test_inside_a_running_loop_it_says_what_to_do() -> None:
    engine = create_engine("sqlite://")

    async def work(size: int) -> None: ...

    def plain(size: int) -> None:
        with engine.connect() as connection:
            for _ in range(size):
                connection.execute(text("SELECT 1"))

    with pytest.raises(QueryproofError, match="use `await asyncio"):
        scaling(work)
    assert scaling(plain, (1, 3)).queries == (1, 3)
    assert (await asyncio.to_thread(scaling, plain, (1, 3))).queries == (1, 3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((20,), "two different sizes"),
        ((20, 20), "two different sizes"),
        ((), "two different sizes"),
        ((0, 5), "above 0"),
        ((2, 2.5), "whole numbers"),
        ((2, True), "whole numbers"),
        (20, "several numbers of rows"),
    ],
)
def test_sizes_that_show_no_growth_are_refused(sizes: object, message: str) -> None:
    with pytest.raises(QueryproofError, match=message):
        scaling(lambda size: None, sizes)  # type: ignore[arg-type] # wrong on purpose


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(QueryproofError, match="run must be a function of the number of rows"):
        scaling([2, 20])  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(QueryproofError, match="setup must be a function"):
        scaling(print, setup=3)  # type: ignore[arg-type] # wrong on purpose


def test_code_without_a_query_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no query was seen for any size"):
        scaling(lambda size: None).assert_constant()


def test_an_error_of_the_code_says_at_which_size_and_nothing_stays_installed(shop: Shop) -> None:
    def work(size: int) -> None:
        shop.together(0 if size == 2 else size)

    shop.fill(0)
    with pytest.raises(AssertionError) as error:
        scaling(work)
    assert error.value.__notes__ == ["queryproof.scaling: while running with 20 rows"]
    with queryproof.scope("afterwards") as after:
        shop.together(0)
    assert after.queries == 0


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1, 1), "constant"),
        ((1, 1, 2), "constant"),  # a page of a hundred rows
        ((5, 4, 3), "constant"),
        ((2, 20, 20), "sublinear"),
        ((1, 4, 8), "sublinear"),
        ((3, 21, 201), "linear"),
        ((3, 22, 198), "linear"),
        ((3, 5, 22), "linear"),  # chunks of ten
        ((1, 1, 4), "linear"),  # chunks of fifty
        ((1, 2, 7), "linear"),  # chunks of thirty, and the last of them empty
        ((2, 86, 1529), "superlinear"),
        ((7, 403, 40003), "superlinear"),
    ],
)
def test_the_curve_that_fits_best_names_the_growth(counts: tuple[int, ...], expected: str) -> None:
    assert growth((2, 20, 200), counts) == expected
