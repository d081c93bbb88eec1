"""Lazy loads: one for each instance of a query. Their clean twins are in lazy_twins.py."""

from collections.abc import Iterator

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    immediateload,
    joinedload,
    lazyload,
    selectinload,
    subqueryload,
)

from .labels import faulty
from .models import Author, Book, Employee, Manager, Node, Order, OrderLine, Publisher, Tag


@faulty("n-plus-one", "selectinload(Author.books)")
def lazy_collection(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        len(author.books)


@faulty("n-plus-one", "joinedload(Book.author)")
def lazy_scalar(session: Session) -> None:
    for book in session.scalars(select(Book)):  # origin
        book.author.name.upper()


@faulty("n-plus-one", "selectinload(Book.tags)")
def lazy_many_to_many(session: Session) -> None:
    books = session.scalars(select(Book).where(Book.author_id < 3)).all()  # origin
    for book in books:
        [tag.name for tag in book.tags]


@faulty("n-plus-one", "selectinload(Tag.books)")
def lazy_many_to_many_backwards(session: Session) -> None:
    for tag in session.scalars(select(Tag)).all():  # origin
        len(tag.books)


@faulty("n-plus-one", "joinedload(Author.profile)")
def lazy_one_to_one(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        author.profile.text.upper()


@faulty("n-plus-one", "joinedload(Author.publisher)")
def lazy_optional_scalar(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        print(author.publisher and author.publisher.name)


@faulty("n-plus-one", "selectinload(Author.books).selectinload(Book.tags)")
def two_levels(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        for book in author.books:
            len(book.tags)


@faulty("n-plus-one", "selectinload(Publisher.authors).selectinload(Author.books).selectinload(Book.reviews)")
def three_levels(session: Session) -> None:
    for publisher in session.scalars(select(Publisher)):  # origin
        for author in publisher.authors:
            for book in author.books:
                sum(review.stars for review in book.reviews)


@faulty("n-plus-one", "selectinload(Author.books).selectinload(Book.tags)")
def below_a_selectin(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books))):  # origin
        for book in author.books:
            len(book.tags)


@faulty("n-plus-one", "joinedload(Author.books).selectinload(Book.tags)")
def below_a_joined(session: Session) -> None:
    for author in session.scalars(select(Author).options(joinedload(Author.books))).unique():  # origin
        for book in author.books:
            len(book.tags)


@faulty("n-plus-one", "subqueryload(Author.books).selectinload(Book.reviews)")
def below_a_subquery(session: Session) -> None:
    for author in session.scalars(select(Author).options(subqueryload(Author.books))):  # origin
        for book in author.books:
            len(book.reviews)


@faulty("n-plus-one", "joinedload(Book.author).selectinload(Author.awards)")
def collection_of_a_scalar(session: Session) -> None:
    for book in session.scalars(select(Book)):  # origin
        len(book.author.awards)


@faulty("n-plus-one", "joinedload(Book.author).joinedload(Author.publisher)")
def scalar_of_a_scalar(session: Session) -> None:
    for book in session.scalars(select(Book)):  # origin
        book.author.publisher.name.upper()  # type: ignore[union-attr] # every one has one


@faulty("n-plus-one", "selectinload(Author.books).selectinload(Book.tags)")
def below_one_instance(session: Session) -> None:
    author = session.get(Author, 1)  # origin
    assert author is not None
    for book in author.books:
        len(book.tags)


@faulty("n-plus-one", "selectinload(writer.books)", root="Author")
def aliased_root(session: Session) -> None:
    writer = aliased(Author)
    for author in session.scalars(select(writer).where(writer.id > 1)):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(writer.books).selectinload(Book.tags)", root="Author")
def aliased_root_two_levels(session: Session) -> None:
    writer = aliased(Author, name="w")
    found = session.scalars(select(writer)).all()  # origin
    print(sum(len(book.tags) for author in found for book in author.books))


@faulty("n-plus-one", "selectinload(Node.children)")
def children_of_some_nodes(session: Session) -> None:
    for node in session.scalars(select(Node).where(Node.parent_id == 1)):  # origin
        len(node.children)


def walk(node: Node) -> int:
    return 1 + sum(walk(child) for child in node.children)


@faulty("n-plus-one", "selectinload(Node.children, recursion_depth=-1)")
def whole_tree(session: Session) -> None:
    root = session.scalars(select(Node).where(Node.parent_id.is_(None))).one()  # origin
    walk(root)


@faulty("n-plus-one")
def chain_upwards(session: Session) -> None:
    node: Node | None = session.get(Node, 12)  # origin
    while node is not None:
        node = node.parent


@faulty("n-plus-one", "selectinload(Node.parent, recursion_depth=-1)")
def many_chains_upwards(session: Session) -> None:
    for leaf in session.scalars(select(Node).where(Node.id.in_((5, 6, 7, 8, 12)))).all():  # origin
        node: Node | None = leaf
        while node is not None:
            node = node.parent


@faulty("n-plus-one")
def below_contains_eager_of_an_alias(session: Session) -> None:
    volume = aliased(Book)
    query = select(Author).join(volume, Author.books.of_type(volume)).where(volume.id > 3)
    query = query.options(contains_eager(Author.books.of_type(volume)))
    for author in session.scalars(query).unique():  # origin
        for book in author.books:
            len(book.tags)


@faulty("n-plus-one", "selectinload(Manager.reports)")
def of_a_subclass(session: Session) -> None:
    for manager in session.scalars(select(Manager)):  # origin
        len(manager.reports)


@faulty("n-plus-one", "selectin_polymorphic(Employee, [Manager]), selectinload(Manager.reports)", root="Employee")
def of_a_subclass_through_its_base(session: Session) -> None:
    for employee in session.scalars(select(Employee)):  # origin
        if isinstance(employee, Manager):
            len(employee.reports)


@faulty("n-plus-one", "joinedload(Employee.team)")
def team_of_each(session: Session) -> None:
    for employee in session.scalars(select(Employee).where(Employee.kind == "employee")):  # origin
        print(employee.team and employee.team.name)


@faulty("n-plus-one", "selectinload(Order.lines)")
def composite_key(session: Session) -> None:
    for order in session.scalars(select(Order)):  # origin
        len(order.lines)


@faulty("n-plus-one", "joinedload(OrderLine.order)")
def composite_key_scalar(session: Session) -> None:
    for line in session.scalars(select(OrderLine)):  # origin
        print(line.order.number)


@faulty("n-plus-one", "selectinload(Author.books)")
def legacy_query(session: Session) -> None:
    for author in session.query(Author).filter(Author.id > 2):  # origin
        len(author.books)


@faulty("n-plus-one", "joinedload(Book.author)")
def legacy_query_all(session: Session) -> None:
    books = session.query(Book).order_by(Book.title).limit(9).all()  # origin
    print([book.author.name for book in books])


@faulty("n-plus-one", "selectinload(Author.books)")
def in_a_helper(session: Session) -> None:
    def everyone() -> list[Author]:
        return list(session.scalars(select(Author).order_by(Author.name)))  # origin

    def count(author: Author) -> int:
        return len(author.books)

    print([count(author) for author in everyone()])


@faulty("n-plus-one", "selectinload(Author.books)")
def in_a_generator(session: Session) -> None:
    def lengths() -> Iterator[int]:
        for author in session.scalars(select(Author)):  # origin
            yield len(author.books)

    print(max(lengths()))


@faulty("n-plus-one", "selectinload(Author.books)")
def in_a_comprehension(session: Session) -> None:
    print([len(author.books) for author in session.scalars(select(Author))])  # origin


@faulty("n-plus-one", "selectinload(Author.awards)")
def in_a_sort_key(session: Session) -> None:
    authors = session.scalars(select(Author)).all()  # origin
    sorted(authors, key=lambda author: len(author.awards))


@faulty("n-plus-one", "selectinload(Author.books)")
def several_entities(session: Session) -> None:
    query = select(Author, Publisher).join(Publisher, Publisher.id == Author.publisher_id)
    for author, publisher in session.execute(query):  # origin
        print(publisher.name, len(author.books))


@faulty("n-plus-one", "selectinload(Author.books)")
def from_text(session: Session) -> None:
    query = select(Author).from_statement(text("SELECT * FROM authors ORDER BY id"))
    for author in session.scalars(query):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Book.author)")
def single_from_text(session: Session) -> None:
    # No join can be added to a text.
    for book in session.scalars(select(Book).from_statement(text("SELECT * FROM books ORDER BY id"))):  # origin
        book.author.name.upper()


@faulty("n-plus-one", "selectinload(Author.books)")
def returned_by_an_update(session: Session) -> None:
    changed = session.scalars(update(Author).values(country="none").returning(Author)).all()  # origin
    for author in changed:
        len(author.books)


@faulty("n-plus-one", "selectinload(Book.author)")
def single_returned_by_an_update(session: Session) -> None:
    for book in session.scalars(update(Book).values(title="none").returning(Book)).all():  # origin
        book.author.name.upper()


@faulty("n-plus-one", "selectinload(Book.author)")
def of_locked_rows(session: Session) -> None:
    for book in session.scalars(select(Book).with_for_update()):  # origin
        book.author.name.upper()


@faulty("n-plus-one", "joinedload(Book.author)")
def of_rows_of_which_one_table_is_locked(session: Session) -> None:
    for book in session.scalars(select(Book).with_for_update(of=Book)):  # origin
        book.author.name.upper()


@faulty("n-plus-one", "selectinload(Book.author)")
def of_locked_rows_in_legacy_query(session: Session) -> None:
    for book in session.query(Book).with_for_update(skip_locked=True):  # origin
        book.author.name.upper()


@faulty("n-plus-one", "selectinload(Author.books)")
def against_an_explicit_lazyload(session: Session) -> None:
    for author in session.scalars(select(Author).options(lazyload(Author.books))):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Author.books)")
def immediate_is_no_better(session: Session) -> None:
    for author in session.scalars(select(Author).options(immediateload(Author.books))):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Author.books)")
def while_streaming(session: Session) -> None:
    for author in session.scalars(select(Author).execution_options(yield_per=2)):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Author.books)")
def of_two_only(session: Session) -> None:
    for author in session.scalars(select(Author).limit(2).order_by(Author.id)):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Author.awards)")
def two_relationships(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        print(len(author.books), len(author.awards))


@faulty("n-plus-one", "selectinload(Author.books)")
def where_in_a_subquery(session: Session) -> None:
    busy = select(Book.author_id).group_by(Book.author_id).having(func.count() > 1)
    for author in session.scalars(select(Author).where(Author.id.in_(busy))):  # origin
        len(author.books)


@faulty("n-plus-one", "joinedload(Book.author)")
def on_every_page(session: Session) -> None:
    for page in range(3):
        query = select(Book).order_by(Book.id).limit(8).offset(page * 8)
        for book in session.scalars(query):  # origin
            print(book.author.name)
        session.expunge_all()


@faulty("n-plus-one", "selectinload(Author.books)", marked=False)
def without_a_scope(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        len(author.books)


@faulty("n-plus-one", "selectinload(Author.books)")
def after_a_savepoint(session: Session) -> None:
    authors = session.scalars(select(Author)).all()  # origin
    with session.begin_nested():
        print([len(author.books) for author in authors])


@faulty("n-plus-one", "selectinload(Author.books)", deep=True)
def with_reads_counted(session: Session) -> None:
    for author in session.scalars(select(Author).where(Author.id > 1)):  # origin
        print(author.name, author.notes, author.country, author.publisher_id, len(author.books))


@faulty("n-plus-one", "selectinload(Author.books)")
def on_a_multi_line_statement(session: Session) -> None:
    authors = session.scalars(  # origin
        select(Author)
        .where(Author.id > 0)
        .order_by(Author.name)
    ).all()  # fmt: skip
    print([len(author.books) for author in authors])
