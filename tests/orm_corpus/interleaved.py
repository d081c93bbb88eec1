"""Several statements sent in turn by one loop, and their clean twins."""

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from .labels import clean, faulty
from .models import Author, Award, Book, Entry, Tag

NUMBERS = (1, 2, 3, 4, 5, 6)


@faulty("interleaved-n-plus-one")
def two_in_turn(session: Session) -> None:
    for number in (1, 2, 3, 4):
        session.scalars(select(Author.name).where(Author.id == number)).all()  # origin
        session.scalars(select(Book.title).where(Book.author_id == number)).all()


@faulty("interleaved-n-plus-one")
def three_in_turn(session: Session) -> None:
    for number in (1, 2, 3):
        session.scalars(select(Author.name).where(Author.id == number)).all()  # origin
        session.scalars(select(Book.title).where(Book.author_id == number)).all()
        session.scalars(select(Award.name).where(Award.author_id == number)).all()


@faulty("interleaved-n-plus-one")
def plain_sql_in_turn(session: Session) -> None:
    connection = session.connection()
    for number in (1, 2, 3, 4):
        connection.execute(text("SELECT name FROM authors WHERE id = :id"), {"id": number}).all()  # origin
        connection.execute(text("SELECT title FROM books WHERE author_id = :id"), {"id": number}).all()


@faulty("interleaved-n-plus-one")
def in_turn_through_a_helper(session: Session) -> None:
    def card(number: int) -> tuple[str | None, int | None]:
        name = session.scalar(select(Author.name).where(Author.id == number))  # origin
        return name, session.scalar(select(func.count()).select_from(Book).where(Book.author_id == number))

    print([card(number) for number in (2, 3, 4)])


@faulty("interleaved-n-plus-one")
def two_in_turn_six_times(session: Session) -> None:
    for number in NUMBERS:
        session.scalars(select(Author.name).where(Author.id == number)).all()  # origin
        session.scalars(select(Book.title).where(Book.author_id == number)).all()


@faulty("interleaved-n-plus-one")
def got_in_turn_with_plain_sql(session: Session) -> None:
    for number in NUMBERS:
        session.get(Author, number)  # origin
        session.execute(text("SELECT count(*) FROM books WHERE author_id = :id"), {"id": number}).scalar_one()
        session.scalars(select(Award.name).where(Award.author_id == number)).all()


@faulty("interleaved-n-plus-one")
def in_turn_and_their_relationships(session: Session) -> None:
    for number in NUMBERS:
        author = session.get(Author, number)  # origin
        assert author is not None
        len(author.books)
        session.scalars(select(Award.name).where(Award.author_id == number)).all()


@faulty("repeated-query")
def another_query_for_some_of_them(session: Session) -> None:
    for number in NUMBERS:
        session.scalars(select(Author.name).where(Author.id == number)).all()  # origin
        if number % 3:
            session.scalars(select(Book.title).where(Book.author_id == number)).all()


# --- clean


@clean()
def different_statements(session: Session) -> None:
    session.scalars(select(Author.name).where(Author.id == 1)).all()
    session.scalars(select(Book.title).where(Book.author_id == 1)).all()
    session.scalars(select(Award.name).where(Award.author_id == 1)).all()
    session.scalars(select(Tag.name).where(Tag.id == 1)).all()


@clean(marked=False)
def requests_of_two_queries(session: Session) -> None:
    for number in NUMBERS:
        with Session(session.get_bind()) as other:
            other.scalars(select(Author).where(Author.id == number)).one()
            other.scalars(select(Book.title).where(Book.author_id == number)).all()


@clean()
def one_of_each_for_one(session: Session) -> None:
    for number in (1, 2):
        session.scalars(select(Author.name).where(Author.id == number)).all()
        session.scalars(select(Book.title).where(Book.author_id == number)).all()


@clean()
def chunks_of_two_tables(session: Session) -> None:
    for start in range(1, 61, 10):
        numbers = list(range(start, start + 10))
        session.scalars(select(Entry.amount).where(Entry.id.in_(numbers))).all()
        session.scalars(select(Book.title).where(Book.id.in_(numbers))).all()
