"""The clean twins of lazy loads: loaded eagerly, or few enough."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, raiseload, selectinload, subqueryload

from .labels import clean
from .lazy import walk
from .models import Author, Book, Node, Order, Publisher, Team


@clean()
def eager_collection(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        len(author.books)


@clean()
def eager_in_what_an_update_returns(session: Session) -> None:
    query = update(Author).values(country="none").returning(Author).options(selectinload(Author.books))
    for author in session.scalars(query).all():
        len(author.books)


@clean()
def eager_scalar(session: Session) -> None:
    for book in session.scalars(select(Book).options(joinedload(Book.author))):
        book.author.name.upper()


@clean()
def eager_two_levels(session: Session) -> None:
    query = select(Author).options(selectinload(Author.books).selectinload(Book.tags))
    for author in session.scalars(query):
        for book in author.books:
            len(book.tags)


@clean()
def eager_three_levels(session: Session) -> None:
    query = select(Publisher).options(
        selectinload(Publisher.authors).selectinload(Author.books).selectinload(Book.reviews)
    )
    print(sum(len(book.reviews) for one in session.scalars(query) for author in one.authors for book in author.books))


@clean()
def eager_by_subquery(session: Session) -> None:
    for author in session.scalars(select(Author).options(subqueryload(Author.books))):
        len(author.books)


@clean()
def eager_by_join_in_the_query(session: Session) -> None:
    query = select(Book).join(Book.author).options(contains_eager(Book.author)).where(Author.id > 2)
    for book in session.scalars(query):
        book.author.name.upper()


@clean()
def eager_in_chunks(session: Session) -> None:
    query = select(Author).options(selectinload(Author.books)).execution_options(yield_per=1)
    for author in session.scalars(query):
        len(author.books)


@clean()
def eager_by_mapping(session: Session) -> None:
    for team in session.scalars(select(Team)):
        len(team.members)


@clean()
def eager_tree(session: Session) -> None:
    query = select(Node).where(Node.id == 1).options(selectinload(Node.children, recursion_depth=-1))
    walk(session.scalars(query).one())


@clean()
def eager_aliased(session: Session) -> None:
    writer = aliased(Author)
    for author in session.scalars(select(writer).options(selectinload(writer.books))):
        len(author.books)


@clean()
def one_and_one(session: Session) -> None:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    len(author.books)


@clean()
def one_and_one_by_get(session: Session) -> None:
    book = session.get(Book, 3)
    assert book is not None
    print(book.author.name, len(book.tags), len(book.reviews))


@clean()
def one_of_many_is_asked(session: Session) -> None:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    chosen = next(author for author in authors if author.id == 3)
    len(chosen.books)


@clean()
def two_different_instances_by_get(session: Session) -> None:
    one, other = session.get(Author, 1), session.get(Author, 2)
    assert one is not None
    assert other is not None
    print(len(one.books), len(other.books))


@clean()
def the_same_scalar_for_all(session: Session) -> None:
    for book in session.scalars(select(Book).where(Book.author_id == 1)):
        book.author.name.upper()


@clean()
def scalars_known_to_the_session(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    for book in session.scalars(select(Book)):
        book.author.name.upper()
    print([author.id for author in authors])


@clean()
def nothing_found(session: Session) -> None:
    for author in session.scalars(select(Author).where(Author.id > 1_000)):
        len(author.books)


@clean()
def nothing_loaded(session: Session) -> None:
    for author in session.scalars(select(Author).options(raiseload(Author.awards))):
        author.name.upper()


@clean()
def created_here(session: Session) -> None:
    authors = [Author(id=1_000 + n, name="new") for n in range(5)]
    session.add_all(authors)
    session.flush()
    for author in authors:
        len(author.books)


@clean()
def foreign_key_only(session: Session) -> None:
    print({book.author_id for book in session.scalars(select(Book))})


@clean()
def counted_by_the_database(session: Session) -> None:
    query = select(Author.name, func.count(Book.id)).join(Author.books).group_by(Author.id)
    print(session.execute(query).all())


@clean(deep=True)
def two_levels_down_of_one(session: Session) -> None:
    order = session.scalars(select(Order).where(Order.number == 1)).one()
    print([line.order.number for line in order.lines])


@clean()
def lazy_once_in_each_call(session: Session) -> None:
    def show(number: int) -> int:
        author = session.scalars(select(Author).where(Author.id == number)).one()
        return len(author.books)

    print(show(1), show(2))
