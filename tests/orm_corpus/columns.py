"""Columns that are loaded one instance at a time, and their clean twins."""

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, defer, load_only, selectin_polymorphic, selectinload, undefer

from .labels import clean, faulty
from .models import Author, Book, Employee, Entry, Manager, Publisher, Team


@faulty("column-load-in-loop", "undefer(Author.biography)")
def deferred_by_mapping(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        len(author.biography)


@faulty("column-load-in-loop", "undefer(Author.notes)")
def deferred_by_option(session: Session) -> None:
    for author in session.scalars(select(Author).options(defer(Author.notes))):  # origin
        len(author.notes)


@faulty("column-load-in-loop", "undefer(Author.notes)")
def left_out_by_load_only(session: Session) -> None:
    for author in session.scalars(select(Author).options(load_only(Author.name))):  # origin
        len(author.notes)


@faulty("column-load-in-loop", "defaultload(Author.books).undefer(Book.summary)")
def left_out_one_level_down(session: Session) -> None:
    slim = selectinload(Author.books).load_only(Book.title, Book.author_id)
    for author in session.scalars(select(Author).options(slim)):  # origin
        for book in author.books:
            len(book.summary)


@faulty("column-load-in-loop", "undefer(writer.biography)", root="Author")
def deferred_of_an_alias(session: Session) -> None:
    writer = aliased(Author)
    for author in session.scalars(select(writer)):  # origin
        len(author.biography)


@faulty("column-load-in-loop", "undefer(Entry.text)")
def deferred_in_legacy_query(session: Session) -> None:
    for entry in session.query(Entry).options(defer(Entry.text)).limit(7):  # origin
        len(entry.text)


@faulty("column-load-in-loop", "undefer(Publisher.city), undefer(Publisher.street)")
def deferred_as_a_group_and_under_another_name(session: Session) -> None:
    for publisher in session.scalars(select(Publisher)):  # origin
        len(publisher.city)


@faulty("column-load-in-loop", "undefer(Publisher.author_count)")
def an_expression_for_a_column(session: Session) -> None:
    for publisher in session.scalars(select(Publisher)):  # origin
        print(publisher.author_count)


@faulty("column-load-in-loop", "selectin_polymorphic(Employee, [Manager])", root="Employee")
def columns_of_a_subclass(session: Session) -> None:
    for employee in session.scalars(select(Employee)):  # origin
        if isinstance(employee, Manager):
            print(employee.budget)


@faulty("column-load-in-loop", "undefer(Employee.name)")
def left_out_of_all_subclasses(session: Session) -> None:
    for employee in session.scalars(select(Employee).options(load_only(Employee.team_id))):  # origin
        employee.name.upper()


@faulty("column-load-in-loop", "defaultload(Team.members).undefer(Employee.name)")
def left_out_of_all_subclasses_one_level_down(session: Session) -> None:
    for team in session.scalars(select(Team).options(selectinload(Team.members).load_only(Employee.team_id))):  # origin
        for employee in team.members:
            employee.name.upper()


@faulty("column-load-in-loop", "defaultload(Team.members).selectin_polymorphic([Manager])")
def columns_of_a_subclass_one_level_down(session: Session) -> None:
    for team in session.scalars(select(Team)):  # origin
        print([member.budget for member in team.members if isinstance(member, Manager)])


@faulty("column-load-in-loop")
def columns_of_a_subclass_that_an_update_has_set(session: Session) -> None:
    option = selectinload(Team.members).selectin_polymorphic([Manager])
    teams = session.scalars(select(Team).options(option)).all()
    managers = [member for team in teams for member in team.members if isinstance(member, Manager)]
    for manager in managers:
        manager.budget += 1
    session.flush()
    for manager in managers:
        print(manager.changed)  # origin


@clean()
def columns_of_a_subclass_one_level_down_at_once(session: Session) -> None:
    option = selectinload(Team.members).selectin_polymorphic([Manager])
    for team in session.scalars(select(Team).options(option)):
        print([member.budget for member in team.members if isinstance(member, Manager)])


@clean()
def columns_of_a_subclass_at_once(session: Session) -> None:
    option = selectin_polymorphic(Employee, [Manager])
    for employee in session.scalars(select(Employee).options(option)):
        if isinstance(employee, Manager):
            print(employee.budget)


@faulty("column-load-in-loop")
def expired_all(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    session.expire_all()
    for author in authors:
        author.name.upper()  # origin


@faulty("column-load-in-loop")
def expired_one_by_one(session: Session) -> None:
    for author in session.scalars(select(Author)).all():
        session.expire(author)
        author.name.upper()  # origin


@faulty("column-load-in-loop")
def refreshed_one_by_one(session: Session) -> None:
    for author in session.scalars(select(Author)).all():
        session.refresh(author)  # origin


@faulty("column-load-in-loop")
def forgotten_by_a_rollback(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    session.rollback()
    print([author.name for author in authors])  # origin


@clean()
def undeferred(session: Session) -> None:
    for author in session.scalars(select(Author).options(undefer(Author.biography))):
        len(author.biography)


@clean()
def deferred_and_not_read(session: Session) -> None:
    for author in session.scalars(select(Author).options(defer(Author.notes))):
        author.name.upper()


@clean()
def deferred_and_read_once(session: Session) -> None:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    len(authors[0].biography)


@clean()
def columns_alone(session: Session) -> None:
    for name, notes in session.execute(select(Author.name, Author.notes)):
        print(name, len(notes))


@clean()
def refreshed_once(session: Session) -> None:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    session.refresh(author)
    author.name.upper()


@clean()
def refreshed_after_each_write(session: Session) -> None:
    for number in range(3):
        entry = Entry(id=1_000 + number)
        session.add(entry)
        session.flush()
        session.refresh(entry)


@clean()
def renewed_in_one_query(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    session.scalars(select(Author).execution_options(populate_existing=True)).all()
    print([author.name for author in authors])


@clean()
def expired_and_one_read(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    session.expire_all()
    authors[0].name.upper()
