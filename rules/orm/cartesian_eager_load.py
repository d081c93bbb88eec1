"""cartesian-eager-load."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.query import CallSite, OrmLoad
from ...analyzer.recommendation import Code, LoaderEdit
from ...analyzer.workload import Execution
from ..edit_place import edit_place
from ..finding import Fact, Finding
from ..loader_option import ALIAS, UNNAMED, present_options
from ..option_codes import line_code
from ..orm_rule import Claim, OrmRule, with_remedy
from ..recorded import Recorded
from ..source import alias_name

MIN_ROWS = 20
MIN_MEMBERS = 1.5
"""Items of a collection for each root: of one item alone nothing is multiplied."""
MIN_EXCESS = 1.5
"""Rows sent against the rows that separate queries would send."""
MIN_ROWS_SHARED = 6
"""Rows for each root where only many-to-many collections are joined, whose rows cannot be counted from their instances."""


class CartesianEagerLoad(OrmRule):
    """Two collections of one entity are loaded by joins in the same query, so that each item of one comes with each of the other.

    ## Why it is slow
    Ten books and ten prizes of an author make a hundred rows, of which twenty say something new. Rows, bytes and the time to
    sort them into instances grow with the product. `selectinload` asks for each collection by itself: their sum.

    One joined collection is left alone, and so is a second one that is mostly empty.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        books: Mapped[list["Book"]] = relationship()
        prizes: Mapped[list["Prize"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


    class Prize(Base):
        __tablename__ = "prizes"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    from sqlalchemy.orm import joinedload

    for table in ("books", "prizes"):
        rows = "SELECT n, mod(n, 8) + 1 FROM generate_series(100, 147) n"
        session.connection().exec_driver_sql(f"INSERT INTO {table} {rows}")
    query = select(Author).options(joinedload(Author.books), joinedload(Author.prizes))
    for author in session.scalars(query).unique():
        print(len(author.books), len(author.prizes))
    ```

    ## Good
    ```python
    for table in ("books", "prizes"):
        rows = "SELECT n, mod(n, 8) + 1 FROM generate_series(100, 147) n"
        session.connection().exec_driver_sql(f"INSERT INTO {table} {rows}")
    query = select(Author).options(selectinload(Author.books), selectinload(Author.prizes))
    for author in session.scalars(query).unique():
        print(len(author.books), len(author.prizes))
    ```
    """

    code = "ORM010"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Queries whose rows are many more than their roots and the items of their collections."""
        places: defaultdict[CallSite | None, list[Execution]] = defaultdict(list)
        for execution in recorded.loads("query", "get"):
            if execution.orm is not None and _multiplied(execution.orm, execution.rows or 0):
                places[execution.call_site].append(execution)
        for place, executions in places.items():
            yield Claim(self._finding(executions, place), executions)

    def _finding(self, executions: Sequence[Execution], place: CallSite | None) -> Finding:
        worst = max(executions, key=lambda one: one.rows or 0)
        load = worst.orm
        assert load is not None
        rows = worst.rows or 0
        names = sorted(name for name, count, _ in load.members if count)
        separate = (load.roots or 0) + sum(count for _, count, _ in load.members)
        finding = self.finding(
            executions, place, " and ".join(names),
            f"{' and '.join(names)} are joined into one query: {rows} rows for {load.roots} {'instance' if load.roots == 1 else 'instances'} of {load.entity}, where "
            f"separate queries send about {separate}.",
            (
                Fact("rows", rows, "rows"),
                Fact("root instances", load.roots or 0),
                *(Fact(f"instances of {name}", count) for name, count, _ in sorted(load.members)),
                Fact("runs", len(executions)),
            ),
            worst=0, at_stake_ms=sum(one.duration_ms for one in executions) * (1 - separate / rows),
        )  # fmt: skip
        moved = [name for name in names[1:] if name.startswith(f"{load.root}.")]
        options = [
            f"selectinload({ALIAS if load.aliased else load.root}{name[len(load.root or '') :]})" for name in moved
        ]
        text = ", ".join(options) or "selectinload(…)"
        if load.aliased:
            named = alias_name(place, load.root) if place is not None and load.root is not None else None
            text = text.replace(ALIAS, named or UNNAMED)
        codes = [Code("Option in place of joinedload", "python", text), *line_code(place)]
        return with_remedy(
            finding, f"Load {' and '.join(names[1:])} by a query of its own",
            "One collection may stay joined; each further one multiplies the rows. The edit is one query more and far fewer rows.",
            codes, before=None, after=None, saves_ms=finding.at_stake_ms, rows=(float(rows), float(separate)),
            how="rows and instances counted in the recording; time is taken to be in proportion to rows",
            edit=_edit(load, moved, ", ".join(options), edit_place(place, executions)) if moved == names[1:] else None,
        )  # fmt: skip


def _edit(load: OrmLoad, moved: Sequence[str], option: str, place: CallSite | None) -> LoaderEdit | None:
    """None where the joins are written by hand, or more is loaded below a collection: that would have to move along."""
    present = present_options(load.options)
    deeper = any(path[0] in moved and len(path) > 1 for path in present)
    if place is None or load.root is None or deeper or any(present.get((name,)) == "contains" for name in moved):
        return None
    replaces = tuple(("joinedload", name) for name in moved if present.get((name,)) == "joined")
    return LoaderEdit(place, load.root, option, ("selectinload",), (), replaces, load.aliased)


def _multiplied(load: OrmLoad, rows: int) -> bool:
    if not load.roots or rows < MIN_ROWS:
        return False
    own = [count for _, count, alone in load.members if alone and count >= MIN_MEMBERS * load.roots]
    shared = [count for _, count, alone in load.members if not alone and count > 1]
    if len(own) >= 2:
        return rows >= MIN_EXCESS * (load.roots + sum(own))
    if len(own) == 1 and shared:
        # Each item of the first comes this many times: items that have one root only cannot come twice by themselves.
        return rows >= (MIN_EXCESS + 0.5) * own[0]
    return len(shared) >= 2 and rows >= MIN_ROWS_SHARED * load.roots
