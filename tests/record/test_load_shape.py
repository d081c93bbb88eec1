"""What the journal keeps of a query."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from queryproof.analyzer.record.load_shape import query_shape


class _Base(DeclarativeBase):
    pass


class _Swapped(_Base):
    __tablename__ = "swapped"
    id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[str] = mapped_column("second")
    second: Mapped[str] = mapped_column("first")


def test_attributes_that_have_each_others_names_are_told_apart() -> None:
    shape = query_shape("query", _Swapped, (), aliased=False, streamed=False, renews=False, columns=False)
    assert '"rn":{"first":"second","second":"first"}' in shape.inside
