"""Statements repeated in loops without any relationship, and their clean twins."""

import time

from sqlalchemy import Engine, and_, bindparam, func, inspect, or_, select, text, tuple_, update
from sqlalchemy.orm import Session, selectinload

from .labels import clean, faulty
from .models import Author, Award, Book, Entry, Job, Node, Order, Tag

NUMBERS = (1, 2, 3, 4, 5, 6)


@faulty("repeated-query")
def get_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.get(Author, number)  # origin


@faulty("repeated-query")
def get_and_lazy_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        author = session.get(Author, number)  # origin
        assert author is not None
        len(author.books)


@faulty("repeated-query")
def get_by_composite_key(session: Session) -> None:
    for number in (1, 2, 3, 4, 5):
        session.get(Order, (number % 2, number))  # origin


@faulty("repeated-query")
def get_through_a_helper(session: Session) -> None:
    def load(number: int) -> str:
        author = session.get(Author, number)  # origin
        return author.name if author is not None else ""

    print([load(number) for number in NUMBERS])


@faulty("repeated-query")
def entities_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.scalars(select(Book).where(Book.author_id == number)).all()  # origin


@faulty("repeated-query")
def columns_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.execute(select(Book.title).where(Book.author_id == number)).all()  # origin


@faulty("repeated-query")
def count_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.scalar(select(func.count()).select_from(Book).where(Book.author_id == number))  # origin


@faulty("repeated-query")
def existence_in_a_loop(session: Session) -> None:
    for number in range(1, 8):
        session.scalar(select(Tag.id).where(Tag.name == f"tag {number}"))  # origin


@faulty("repeated-query")
def core_in_a_loop(session: Session) -> None:
    connection = session.connection()
    for number in NUMBERS:
        connection.execute(select(Book.__table__).where(Book.__table__.c.author_id == number)).all()  # origin


@faulty("repeated-query")
def plain_sql_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.execute(text("SELECT name FROM authors WHERE id = :id"), {"id": number}).all()  # origin


@faulty("repeated-query")
def plain_sql_with_literals(session: Session) -> None:
    for number in NUMBERS:
        session.connection().exec_driver_sql(f"SELECT name FROM authors WHERE id = {number}").all()  # origin


@faulty("repeated-query")
def legacy_first_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        session.query(Author).filter_by(name=f"author {number}").first()  # origin


@faulty("repeated-query")
def dynamic_relationship(session: Session) -> None:
    for author in session.scalars(select(Author)):
        author.book_query.all()  # origin


@faulty("repeated-query")
def newest_three_of_each(session: Session) -> None:
    for number in NUMBERS:
        query = select(Book).where(Book.author_id == number).order_by(Book.id.desc()).limit(3)
        session.scalars(query).all()  # origin


@faulty("repeated-query")
def join_in_a_loop(session: Session) -> None:
    for number in NUMBERS:
        query = select(Tag.name).join(Tag.books).where(Book.id == number)
        session.scalars(query).all()  # origin


@faulty("repeated-query")
def connection_for_each(session: Session) -> None:
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    for number in NUMBERS:
        with engine.connect() as connection:
            connection.execute(select(Author.name).where(Author.id == number)).all()  # origin


@faulty("repeated-query")
def session_for_each(session: Session) -> None:
    for number in NUMBERS:
        with Session(session.get_bind()) as other:
            other.scalars(select(Author).where(Author.id == number)).one()  # origin


@faulty("repeated-query")
def recursion_by_queries(session: Session) -> None:
    def below(number: int) -> int:
        children = session.scalars(select(Node.id).where(Node.parent_id == number)).all()  # origin
        return 1 + sum(below(child) for child in children)

    below(1)


@faulty("repeated-query")
def get_or_create(session: Session) -> None:
    for number in range(1, 7):
        found = session.scalar(select(Tag).where(Tag.name == f"tag {number + 5}"))  # origin
        if found is None:
            session.add(Tag(id=1_000 + number, name=f"tag {number + 5}"))


@faulty("repeated-query", marked=False)
def in_one_transaction_without_a_scope(session: Session) -> None:
    for number in NUMBERS:
        session.execute(select(Book.title).where(Book.author_id == number)).all()  # origin


@faulty("duplicate-query")
def the_same_in_a_loop(session: Session) -> None:
    for _ in NUMBERS:
        session.scalars(select(Author).where(Author.id == 1)).one()  # origin


@faulty("duplicate-query")
def the_same_from_two_helpers(session: Session) -> None:
    query = select(Author.name).where(Author.id == 2)

    def title() -> str:
        return session.execute(query).scalar_one()  # origin

    def footer() -> str:
        return session.execute(query).scalar_one()

    print(title(), footer())


@faulty("duplicate-query")
def settings_read_again(session: Session) -> None:
    def setting(name: str) -> int | None:
        return session.scalar(select(Entry.amount).where(Entry.label == name).limit(1))  # origin

    for _ in range(4):
        setting("l1")


@faulty("duplicate-query")
def count_asked_three_times(session: Session) -> None:
    for _ in range(3):
        session.execute(text("SELECT count(*) FROM books")).scalar_one()  # origin


@faulty("duplicate-query", marked=False)
def the_same_without_a_scope(session: Session) -> None:
    for _ in range(4):
        session.execute(select(Award.name).where(Award.id == 1)).all()  # origin


@faulty("duplicate-query")
def forgotten_and_got_again(session: Session) -> None:
    for _ in range(3):
        session.get(Author, 1)  # origin
        session.expunge_all()


# --- clean


@clean()
def all_in_one(session: Session) -> None:
    session.scalars(select(Author).where(Author.id.in_(NUMBERS))).all()


@clean()
def counted_in_groups(session: Session) -> None:
    session.execute(select(Book.author_id, func.count()).group_by(Book.author_id)).all()


@clean()
def got_from_the_identity_map(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    for number in NUMBERS:
        session.get(Author, number)
    print(len(authors), authors)


@clean()
def keyset_pages(session: Session) -> None:
    last = 0
    while page := session.scalars(select(Entry).where(Entry.id > last).order_by(Entry.id).limit(10)).all():
        last = page[-1].id


@clean()
def keyset_pages_of_one_label(session: Session) -> None:
    last = 0
    query = select(Entry.id, Entry.amount).where(Entry.label == "l1").order_by(Entry.id).limit(2)
    while page := session.execute(query.where(Entry.id > last)).all():
        last = page[-1].id


@clean()
def keyset_pages_by_row(session: Session) -> None:
    last = (0, 0)
    query = select(Entry.amount, Entry.id).order_by(Entry.amount, Entry.id).limit(10)
    while page := session.execute(query.where(tuple_(Entry.amount, Entry.id) > last)).all():
        last = (page[-1].amount, page[-1].id)


@clean()
def keyset_pages_by_two_keys(session: Session) -> None:
    amount = last = 0
    query = select(Entry.amount, Entry.id).order_by(Entry.amount, Entry.id).limit(10)
    behind = or_(
        Entry.amount > bindparam("amount"), and_(Entry.amount == bindparam("amount"), Entry.id > bindparam("last"))
    )
    while page := session.execute(query.where(behind), {"amount": amount, "last": last}).all():
        amount, last = page[-1].amount, page[-1].id


@clean()
def keyset_pages_of_one_label_by_two_keys(session: Session) -> None:
    amount, last = 10**6, 0
    query = select(Entry.amount, Entry.id).where(Entry.label == "l1").order_by(Entry.amount.desc(), Entry.id).limit(2)
    while page := session.execute(
        query.where(or_(Entry.amount < amount, and_(Entry.amount == amount, Entry.id > last)))
    ).all():
        amount, last = page[-1].amount, page[-1].id


@clean()
def offset_pages(session: Session) -> None:
    for page in range(6):
        session.scalars(select(Entry).order_by(Entry.id).limit(10).offset(page * 10)).all()


@clean()
def chunks_of_an_in_list(session: Session) -> None:
    numbers = list(range(1, 61))
    for start in range(0, 60, 10):
        session.scalars(select(Entry).where(Entry.id.in_(numbers[start : start + 10]))).all()


@clean()
def chunks_of_an_array(session: Session) -> None:
    for start in range(1, 61, 10):
        numbers = list(range(start, start + 10))
        session.execute(text("SELECT amount FROM entries WHERE id = ANY(:ids)"), {"ids": numbers}).all()


@clean()
def ranges_of_keys(session: Session) -> None:
    for start in range(0, 60, 10):
        query = select(Entry.amount).where(Entry.id > start, Entry.id <= start + 10)
        session.scalars(query).all()


@clean()
def polling(session: Session) -> None:
    for _ in range(4):
        session.scalar(select(Job.state).where(Job.id == 1))
        time.sleep(0.06)


@clean()
def read_again_after_a_write(session: Session) -> None:
    for number in range(4):
        session.scalar(select(func.count()).select_from(Entry))
        session.execute(update(Entry).where(Entry.id <= 10).values(amount=number))


@clean()
def reflection(session: Session) -> None:
    found = inspect(session.connection())
    for table in ("authors", "books", "tags", "reviews", "awards", "nodes"):
        found.get_columns(table)
        found.get_pk_constraint(table)
        found.get_foreign_keys(table)


@clean()
def catalog_by_hand(session: Session) -> None:
    for table in ("authors", "books", "tags", "reviews", "awards", "nodes"):
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = :name"
        session.execute(text(query), {"name": table}).all()


@clean()
def sequence_values(session: Session) -> None:
    for _ in range(6):
        session.execute(text("SELECT nextval('authors_id_seq')")).scalar_one()


@clean()
def workers_lock_jobs(session: Session) -> None:
    for _ in range(6):
        query = select(Job).where(Job.state == "open").order_by(Job.id).limit(1).with_for_update(skip_locked=True)
        job = session.scalars(query).first()
        assert job is not None
        job.state = "done"
        session.flush()


@clean()
def a_few_by_name(session: Session) -> None:
    for number in (1, 2):
        session.scalar(select(Author.name).where(Author.id == number))


@clean(marked=False)
def requests_one_after_the_other(session: Session) -> None:
    for number in NUMBERS:
        with Session(session.get_bind()) as other:
            other.scalars(select(Author).where(Author.id == number)).one()


@clean(marked=False)
def the_same_in_each_request(session: Session) -> None:
    for _ in range(4):
        with Session(session.get_bind()) as other:
            other.scalars(select(Author.name).where(Author.id == 1)).one()


@clean()
def page_and_its_count(session: Session) -> None:
    query = select(Entry).where(Entry.amount > 5)
    session.scalar(select(func.count()).select_from(query.subquery()))
    session.scalars(query.order_by(Entry.id).limit(10)).all()


@clean()
def eager_loads_of_each_page(session: Session) -> None:
    for page in range(5):
        query = select(Book).order_by(Book.id).limit(4).offset(page * 4).options(selectinload(Book.reviews))
        for book in session.scalars(query):
            len(book.reviews)


@clean()
def kept_and_passed_on(session: Session) -> None:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    for _ in NUMBERS:
        author.name.upper()


@clean()
def cursor_of_the_server(session: Session) -> None:
    for entry in session.scalars(select(Entry).execution_options(yield_per=10)):
        entry.label.upper()
