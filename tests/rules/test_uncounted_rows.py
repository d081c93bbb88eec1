"""Drivers that do not tell how many rows a SELECT has given: instances are counted in their place, or it is said."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from queryproof import record
from queryproof.analysis import AnalysisRequest, analyze
from queryproof.reports.report import Report


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def recorded(directory: Path, level: int, rows: int) -> Report:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Author(name=str(number)) for number in range(rows)])
        session.commit()
    with record(engine, directory, level=level):
        with Session(engine) as session:
            assert len(session.scalars(select(Author)).all()) == rows
        with Session(engine) as session:
            assert session.scalars(select(Author).where(Author.id > 0)).first() is not None
        with Session(engine) as session:
            assert all(author.name for author in session.scalars(select(Author).where(Author.id != 0)).all())
    engine.dispose()
    return analyze(AnalysisRequest(journal=directory))


@pytest.mark.parametrize(("level", "rows", "found"), [(2, 30, 2), (2, 5, 0), (1, 30, 0)])
def test_what_is_counted_or_asked_for_one_of_is_found_where_instances_are_counted(
    level: int, rows: int, found: int, tmp_path: Path
) -> None:
    report = recorded(tmp_path, level, rows)
    assert [one.rule for one in report.findings] == ["fetched-but-unused-rows"] * found
    told = [one for one in report.skipped if one.subject.startswith("rows of ")]
    if level == 2:
        assert told == []
    else:
        assert [one.subject for one in told] == ["rows of 3 executions"]
        assert "pysqlite" in told[0].reason
        assert "--deep" in told[0].reason
