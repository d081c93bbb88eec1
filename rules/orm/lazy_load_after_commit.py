"""lazy-load-after-commit."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.query import SessionEvent
from ...analyzer.recommendation import Code
from ...analyzer.workload import Execution
from ..finding import Fact, Finding
from ..orm_rule import Claim, OrmRule, sites, with_remedy
from ..recorded import Recorded, loop_key, unit_of

MIN_INSTANCES = 3
"""Instances read again after one commit: one or two are how a result is read back."""


class LazyLoadAfterCommit(OrmRule):
    """After a commit, instances that the session still holds are read again one by one.

    ## Why it is slow
    `commit` makes every instance forget its columns and relationships (`expire_on_commit`), and each is loaded again when
    it is read: one round trip for each instance. Reading what is needed before the commit, or sessions that keep what they
    know, send nothing.

    An instance or two that are read back are left alone.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(default="")
        books: Mapped[list["Book"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    authors = session.scalars(select(Author)).all()
    authors[0].name = "Ada"
    session.commit()
    print([author.name for author in authors])
    ```

    ## Good
    ```python
    session.expire_on_commit = False
    authors = session.scalars(select(Author)).all()
    authors[0].name = "Ada"
    session.commit()
    print([author.name for author in authors])
    ```
    """

    code = "ORM012"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Loads that a commit has made necessary, by the line of the commit."""
        commits: defaultdict[tuple[object, ...], defaultdict[tuple[object, ...], list[Execution]]]
        commits = defaultdict(lambda: defaultdict(list))
        first: dict[tuple[object, ...], SessionEvent] = {}
        for execution in recorded.loads("column", "lazy"):
            commit = recorded.after_commit(execution)
            if commit is not None:
                key = loop_key(commit) if commit.stack else ("", unit_of(execution))
                first.setdefault(key, commit)
                commits[key][commit.process, commit.sequence].append(execution)
        for key, by_commit in commits.items():
            worst = max(by_commit.values(), key=len)
            if len({one.orm.parent for one in worst if one.orm is not None}) >= MIN_INSTANCES:
                executions = [one for loads in by_commit.values() for one in loads]
                yield Claim(self._finding(first[key], worst, executions), executions)

    def _finding(self, commit: SessionEvent, worst: Sequence[Execution], executions: Sequence[Execution]) -> Finding:
        entities = sorted({one.orm.entity for one in worst if one.orm is not None and one.orm.entity})
        finding = self.finding(
            executions, commit.call_site or worst[0].call_site, "after commit",
            f"The commit makes {' and '.join(entities[:3]) or 'instances'} forget what they know, and they are read again one by "
            f"one: {len(worst)} queries.",
            (
                Fact("queries in the worst case", len(worst), "queries"),
                Fact("queries in all", len(executions), "queries"),
                Fact("read at", sites(executions)),
            ),
            worst=len(worst),
        )  # fmt: skip
        maker = "async_sessionmaker" if worst[0].awaited else "sessionmaker"
        return with_remedy(
            finding, "Keep what the session knows over the commit",
            "Where rows may be changed by others in the meantime, read them again in one query instead; where only a few "
            "values are needed, read them before the commit.",
            [Code("Where sessions are made", "python", f"{maker}(engine, expire_on_commit=False)")],
            before=len(worst), after=0, saves_ms=finding.at_stake_ms,
        )  # fmt: skip
