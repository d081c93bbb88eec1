"""More fetched than used: relationships, columns, rows, products; and their clean twins. Most need reads to be counted."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, defer, joinedload, load_only, selectinload, subqueryload

from .labels import clean, faulty
from .models import Author, Book, Employee, Entry, Manager, Publisher, Team


@faulty("unused-eager-load", deep=True)
def selectin_never_read(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):  # origin
        print(author.name, author.notes, author.country)


@faulty("unused-eager-load", deep=True)
def joined_scalar_never_read(session: Session) -> None:
    query = select(Book).where(Book.id < 9).options(joinedload(Book.author))
    for book in session.scalars(query):  # origin
        print(book.title, book.summary)


@faulty("unused-eager-load", deep=True)
def joined_collection_never_read(session: Session) -> None:
    for author in session.scalars(select(Author).options(joinedload(Author.awards))).unique():  # origin
        print(author.name, author.notes)


@faulty("unused-eager-load", deep=True)
def subquery_never_read(session: Session) -> None:
    for author in session.scalars(select(Author).options(subqueryload(Author.awards))):  # origin
        print(author.name, author.notes)


@faulty("unused-eager-load", deep=True)
def second_level_never_read(session: Session) -> None:
    query = select(Author).options(selectinload(Author.books).selectinload(Book.tags))
    for author in session.scalars(query):  # origin
        print(author.notes, [(book.title, book.summary) for book in author.books])


@faulty("unused-eager-load", deep=True)
def one_of_two_never_read(session: Session) -> None:
    query = select(Author).options(selectinload(Author.awards), joinedload(Author.publisher))
    for author in session.scalars(query):  # origin
        print(author.notes, author.publisher and author.publisher.name)


@faulty("unused-eager-load", deep=True)
def level_of_an_alias_never_read(session: Session) -> None:
    writer = aliased(Author)
    query = select(writer).options(selectinload(writer.books).selectinload(Book.tags))
    for author in session.scalars(query):  # origin
        print(author.notes, [(book.title, book.summary) for book in author.books])


@faulty("unused-eager-load", deep=True)
def never_read_of_any_subclass(session: Session) -> None:
    for employee in session.scalars(select(Employee).options(joinedload(Employee.team))):  # origin
        print(employee.name)


@clean(deep=True)
def read_of_one_subclass_alone(session: Session) -> None:
    for employee in session.scalars(select(Employee).options(joinedload(Employee.team))):
        print(employee.name)
        if isinstance(employee, Manager):
            print(employee.team)


@faulty("unused-columns", "load_only(Entry.id, Entry.label)", deep=True)
def wide_text_never_read(session: Session) -> None:
    for entry in session.scalars(select(Entry)):  # origin
        entry.label.upper()


@faulty("unused-columns", "defer(Entry.text)", deep=True)
def one_wide_column_never_read(session: Session) -> None:
    for entry in session.scalars(select(Entry)):  # origin
        print(entry.label, entry.amount, entry.c1, entry.c2, entry.c3)


@faulty("unused-columns", "load_only(row.id, row.label)", root="Entry", deep=True)
def wide_text_of_an_alias(session: Session) -> None:
    row = aliased(Entry)
    for entry in session.scalars(select(row)):  # origin
        entry.label.upper()


@faulty("unused-columns", "defaultload(Author.books).defer(Book.summary)", deep=True)
def wide_text_one_level_down(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):  # origin
        print(author.notes, [(book.title, book.author_id) for book in author.books])


@faulty("fetched-but-unused-rows")
def first_without_limit(session: Session) -> None:
    print(session.scalars(select(Entry).order_by(Entry.id)).first())  # origin


@faulty("fetched-but-unused-rows")
def first_of_execute(session: Session) -> None:
    row = session.execute(select(Entry.id, Entry.label)).first()  # origin
    print(row)


@faulty("fetched-but-unused-rows")
def scalar_of_many(session: Session) -> None:
    print(session.scalar(select(Entry.label).order_by(Entry.id)))  # origin


@faulty("fetched-but-unused-rows")
def first_by_index(session: Session) -> None:
    print(session.scalars(select(Entry)).all()[0])  # origin


@faulty("fetched-but-unused-rows")
def counted_in_python(session: Session) -> None:
    print(len(session.scalars(select(Entry).where(Entry.amount > 3)).all()))  # origin


@faulty("fetched-but-unused-rows")
def counted_by_its_name(session: Session) -> None:
    entries = session.scalars(select(Entry)).all()  # origin
    print(len(entries))


@faulty("fetched-but-unused-rows")
def any_asked_in_python(session: Session) -> None:
    if session.scalars(select(Entry).where(Entry.amount > 3)).all():  # origin
        print("some")


@faulty("fetched-but-unused-rows")
def sliced_in_python(session: Session) -> None:
    for entry in session.scalars(select(Entry).order_by(Entry.id)).all()[:5]:  # origin
        print(entry.label)


@faulty("fetched-but-unused-rows")
def page_cut_in_python(session: Session) -> None:
    entries = list(session.scalars(select(Entry).order_by(Entry.id)))  # origin
    print(len(entries), [entry.label for entry in entries[10:20]])


@faulty("fetched-but-unused-rows")
def page_of_a_variable_size(session: Session, start: int = 10, size: int = 10) -> None:
    entries = list(session.scalars(select(Entry).order_by(Entry.id)))  # origin
    print([entry.label for entry in entries[start : start + size]])
    for entry in entries[start : start + size]:
        print(entry.amount)


@faulty("fetched-but-unused-rows", deep=True)
def left_at_the_third(session: Session) -> None:
    for number, entry in enumerate(session.scalars(select(Entry))):  # origin
        print(entry.label, entry.text)
        if number == 2:
            break


@faulty("cartesian-eager-load")
def two_joined_collections(session: Session) -> None:
    query = select(Author).options(joinedload(Author.books), joinedload(Author.awards))
    for author in session.scalars(query).unique():  # origin
        print(len(author.books), len(author.awards))


@faulty("cartesian-eager-load")
def two_joined_collections_in_legacy_query(session: Session) -> None:
    query = session.query(Author).options(joinedload(Author.books), joinedload(Author.awards))
    for author in query.all():  # origin
        print(len(author.books), len(author.awards))


@faulty("cartesian-eager-load", deep=True)
def two_joined_collections_of_one(session: Session) -> None:
    query = select(Author).where(Author.id == 1).options(joinedload(Author.books), joinedload(Author.awards))
    author = session.scalars(query).unique().one()  # origin
    print(author.notes, len(author.books), len(author.awards))


# --- clean


@clean()
def cut_into_chunks(session: Session) -> None:
    keys = session.scalars(select(Entry.id).order_by(Entry.id)).all()
    for start in range(0, len(keys), 30):
        print([entry.text for entry in session.scalars(select(Entry).where(Entry.id.in_(keys[start : start + 30])))])
    entries = session.scalars(select(Entry).order_by(Entry.label)).all()
    print([[entry.label for entry in entries[start : start + 20]] for start in range(0, len(entries), 20)])


@clean(deep=True)
def one_caller_of_two_reads_it(session: Session) -> None:
    def load(after: int) -> Sequence[Author]:
        query = select(Author).where(Author.id > after).options(selectinload(Author.books))
        return session.scalars(query).all()

    for author in load(0):
        print(author.name, author.country, author.notes, author.publisher_id, len(author.books))
    session.expunge_all()
    for author in load(1):
        print(author.name, author.country, author.notes, author.publisher_id)


@clean(deep=True)
def selectin_read(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        print(author.notes, [(book.title, book.summary) for book in author.books])


@clean(deep=True)
def selectin_read_of_some(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.awards))):
        print(author.notes, author.name, author.country)
        if author.id == 4:
            print(len(author.awards))


@clean(deep=True)
def selectin_of_nothing_found(session: Session) -> None:
    for author in session.scalars(select(Author).where(Author.id > 99).options(selectinload(Author.books))):
        print(author.name)


@clean(deep=True)
def selectin_of_one_instance(session: Session) -> None:
    author = session.scalars(select(Author).where(Author.id == 1).options(selectinload(Author.books))).one()
    print(author.name, author.notes)


@clean(deep=True)
def not_read_in_a_way_that_is_seen(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        print(sorted(vars(author)))


@clean(deep=True)
def loaded_to_be_deleted(session: Session) -> None:
    query = select(Book).where(Book.id < 5).options(selectinload(Book.reviews), selectinload(Book.tags))
    for book in session.scalars(query).all():
        print(book.title, book.summary)
        session.delete(book)
    session.flush()


@clean(deep=True)
def eager_by_mapping_not_read(session: Session) -> None:
    for team in session.scalars(select(Team)):
        print(team.name)


@clean(deep=True)
def children_met_again_by_key(session: Session) -> None:
    authors = session.scalars(select(Author).options(selectinload(Author.publisher))).all()
    publishers = [session.get(Publisher, author.publisher_id) for author in authors]
    print([author.notes for author in authors], [one.name for one in publishers if one is not None])


@clean(deep=True)
def only_what_is_read(session: Session) -> None:
    for entry in session.scalars(select(Entry).options(load_only(Entry.label))):
        entry.label.upper()


@clean(deep=True)
def all_but_what_is_not_read(session: Session) -> None:
    for entry in session.scalars(select(Entry).options(defer(Entry.text))):
        print(entry.label, entry.amount)


@clean(deep=True)
def wide_text_of_a_few(session: Session) -> None:
    for entry in session.scalars(select(Entry).where(Entry.id < 5)):
        print(entry.label)


@clean(deep=True)
def wide_text_read_of_some(session: Session) -> None:
    for entry in session.scalars(select(Entry)):
        print(entry.text if entry.id % 7 == 0 else entry.label)


@clean(deep=True)
def narrow_columns_not_read(session: Session) -> None:
    for book in session.scalars(select(Book).options(defer(Book.summary))):
        print(book.title)


@clean()
def first_with_limit(session: Session) -> None:
    print(session.scalars(select(Entry).order_by(Entry.id).limit(1)).first())


@clean()
def legacy_first(session: Session) -> None:
    print(session.query(Entry).order_by(Entry.id).first())


@clean()
def first_of_one(session: Session) -> None:
    print(session.scalars(select(Entry).where(Entry.id == 5)).first())


@clean()
def first_of_one_with_a_joined_collection(session: Session) -> None:
    query = select(Author).where(Author.id == 1).options(joinedload(Author.awards), joinedload(Author.profile))
    author = session.scalars(query).unique().first()
    assert author is not None
    print(author.profile.text, len(author.awards))


@clean()
def counted_in_the_database(session: Session) -> None:
    print(session.scalar(select(func.count()).select_from(Entry)))


@clean()
def counted_and_used(session: Session) -> None:
    entries = session.scalars(select(Entry)).all()
    print(len(entries), [entry.label for entry in entries])


@clean()
def asked_and_used(session: Session) -> None:
    entries = session.scalars(select(Entry)).all()
    if entries:
        print(max(entry.amount for entry in entries))


@clean()
def all_but_the_first(session: Session) -> None:
    print([entry.label for entry in session.scalars(select(Entry).order_by(Entry.id)).all()[1:]])


@clean(deep=True)
def streamed_and_left(session: Session) -> None:
    entries = session.scalars(select(Entry).execution_options(yield_per=5))
    for entry in entries:
        print(entry.label, entry.text)
        if entry.amount > 2:
            break
    entries.close()


@clean()
def one_joined_collection(session: Session) -> None:
    for author in session.scalars(select(Author).options(joinedload(Author.awards))).unique():
        len(author.awards)


@clean()
def joined_collection_and_scalars(session: Session) -> None:
    query = select(Author).options(joinedload(Author.awards), joinedload(Author.profile), joinedload(Author.publisher))
    for author in session.scalars(query).unique():
        print(len(author.awards), author.profile.text, author.publisher)


@clean()
def joined_and_selectin(session: Session) -> None:
    query = select(Author).options(joinedload(Author.books), selectinload(Author.awards))
    for author in session.scalars(query).unique():
        print(len(author.books), len(author.awards))


@clean()
def joined_collection_of_a_joined_collection(session: Session) -> None:
    query = select(Publisher).options(joinedload(Publisher.authors).joinedload(Author.books))
    for publisher in session.scalars(query).unique():
        print([len(author.books) for author in publisher.authors])


@faulty("fetched-but-unused-rows")
def length_of_a_legacy_query(session: Session) -> None:
    query = session.query(Book).filter(Book.id > 0)
    print(len(query.all()))  # origin


@clean()
def legacy_query_read_whole(session: Session) -> None:
    query = session.query(Book).filter(Book.id > 0)
    books = query.all()
    print(len(books), [book.title for book in books])
