"""Mapped classes of the shapes that applications have: collections, scalars, many-to-many, trees, inheritance, composite keys."""

from datetime import datetime
from typing import cast

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, String, Table, Text, func, select
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    column_property,
    deferred,
    mapped_column,
    relationship,
)

PEOPLE = 6
BOOKS_EACH = 4


class Base(AsyncAttrs, DeclarativeBase):
    pass


book_tags = Table(
    "book_tags",
    Base.metadata,
    Column("book_id", ForeignKey("books.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Author(Base):
    """One-to-many, one-to-one, wide and deferred columns."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    country: Mapped[str] = mapped_column(String(50), default="")
    notes: Mapped[str] = mapped_column(Text, default="")
    biography: Mapped[str] = deferred(mapped_column(Text, default=""))
    publisher_id: Mapped[int | None] = mapped_column(ForeignKey("publishers.id"))
    books: Mapped[list["Book"]] = relationship(back_populates="author", order_by="Book.id")
    awards: Mapped[list["Award"]] = relationship(back_populates="author")
    profile: Mapped["Profile"] = relationship(back_populates="author")
    publisher: Mapped["Publisher | None"] = relationship(back_populates="authors")
    book_query: DynamicMapped["Book"] = relationship(viewonly=True)


class Publisher(Base):
    __tablename__ = "publishers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    city: Mapped[str] = mapped_column("town", default="", deferred=True, deferred_group="address")
    street: Mapped[str] = mapped_column(default="", deferred=True, deferred_group="address")
    authors: Mapped[list[Author]] = relationship(back_populates="publisher")
    author_count: Mapped[int] = column_property(
        select(func.count(Author.id)).where(Author.publisher_id == id).correlate_except(Author).scalar_subquery(),
        deferred=True,
    )


class Profile(Base):
    __tablename__ = "profiles"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"), unique=True)
    text: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[Author] = relationship(back_populates="profile")


class Book(Base):
    """Many-to-one, many-to-many, a child of a child."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    summary: Mapped[str] = mapped_column(Text, default="")
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    tags: Mapped[list["Tag"]] = relationship(secondary=book_tags, back_populates="books")
    reviews: Mapped[list["Review"]] = relationship(back_populates="book", cascade="all, delete-orphan")


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    books: Mapped[list[Book]] = relationship(secondary=book_tags, back_populates="tags")


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True)
    stars: Mapped[int]
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    book: Mapped[Book] = relationship(back_populates="reviews")


class Award(Base):
    __tablename__ = "awards"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="awards")


class Node(Base):
    """A tree."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    parent: Mapped["Node | None"] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list["Node"]] = relationship(back_populates="parent")


class Employee(Base):
    """Joined inheritance."""

    __tablename__ = "employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(50))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    team: Mapped["Team | None"] = relationship(back_populates="members")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}  # noqa: RUF012 - SQLAlchemy's way


class Manager(Employee):
    __tablename__ = "managers"
    id: Mapped[int] = mapped_column(ForeignKey("employees.id"), primary_key=True)
    budget: Mapped[int] = mapped_column(default=0)
    changed: Mapped[datetime | None] = mapped_column(onupdate=func.now())
    reports: Mapped[list["Report"]] = relationship(back_populates="manager")
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012 - as above


class Team(Base):
    """Its members come with it by mapping."""

    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    members: Mapped[list[Employee]] = relationship(back_populates="team", lazy="selectin")


class Report(Base):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    manager_id: Mapped[int] = mapped_column(ForeignKey("managers.id"))
    manager: Mapped[Manager] = relationship(back_populates="reports")


class Order(Base):
    """A composite key."""

    __tablename__ = "orders"
    shop: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="order")


class OrderLine(Base):
    __tablename__ = "order_lines"
    __table_args__ = (ForeignKeyConstraint(["shop", "number"], ["orders.shop", "orders.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    shop: Mapped[int]
    number: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")


class Job(Base):
    """What workers take one by one."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20), default="open")


class Entry(Base):
    """Many rows, written to and read in pages."""

    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(50), default="")
    amount: Mapped[int] = mapped_column(default=0)
    text: Mapped[str] = mapped_column(Text, default="")
    c1: Mapped[int] = mapped_column(default=0)
    c2: Mapped[int] = mapped_column(default=0)
    c3: Mapped[int] = mapped_column(default=0)


ENTRIES = 60
ENTRY_TABLE = cast(Table, Entry.__table__)
JOB_TABLE = cast(Table, Job.__table__)


def rows() -> list[Base]:
    """The same rows for every scenario."""
    tags = [Tag(id=n, name=f"tag {n}") for n in range(1, 9)]
    people = []
    for n in range(1, PEOPLE + 1):
        books = [
            Book(
                id=(n - 1) * BOOKS_EACH + k,
                title=f"book {n}/{k}",
                summary="s" * 300,
                tags=[tags[(n + k) % 8], tags[(n + k + 3) % 8]],
                reviews=[Review(stars=k), Review(stars=5)],
            )
            for k in range(1, BOOKS_EACH + 1)
        ]
        people.append(
            Author(
                id=n,
                name=f"author {n}",
                notes="n" * 400,
                biography="b" * 100,
                books=books,
                awards=[Award(name=f"award {k}") for k in range(6)],
                profile=Profile(text="p"),
                publisher=Publisher(id=n, name=f"publisher {n}"),
            )
        )
    nodes = [Node(id=1)]
    nodes += [Node(id=n, parent_id=1) for n in (2, 3, 4)]
    nodes += [Node(id=n, parent_id=2 + n % 3) for n in range(5, 11)]
    nodes += [Node(id=11, parent_id=10), Node(id=12, parent_id=11)]
    teams = [Team(id=n, name=f"team {n}") for n in (1, 2, 3)]
    staff: list[Employee] = [Employee(id=n, name=f"e{n}", team=teams[n % 3]) for n in range(1, 7)]
    staff += [Manager(id=n, name=f"m{n}", team=teams[n % 3], reports=[Report(), Report()]) for n in range(7, 12)]
    orders = [Order(shop=n % 2, number=n, lines=[OrderLine(), OrderLine()]) for n in range(1, 6)]
    jobs = [Job(id=n) for n in range(1, 9)]
    entries = [Entry(id=n, label=f"l{n % 7}", amount=n, text="t" * 500) for n in range(1, ENTRIES + 1)]
    return [*tags, *people, *nodes, *teams, *staff, *orders, *jobs, *entries]
