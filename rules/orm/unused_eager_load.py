"""unused-eager-load."""

from collections.abc import Iterator, Sequence

from ...analyzer.recommendation import Code, LoaderEdit
from ...analyzer.workload import Execution
from ..edit_place import edit_place
from ..entity_uses import UseAtQuery, entity_uses
from ..finding import Fact, Finding, LookedAt, Subject
from ..loader_option import ALIAS, EAGER, present_options
from ..option_codes import line_code
from ..orm_rule import Claim, OrmRule, with_remedy
from ..recorded import Recorded, unit_of

MIN_INSTANCES = 2
"""Parents whose relationship was loaded: of one alone nothing can be said."""
_LOADERS = {**EAGER, "immediate": "immediateload"}


class UnusedEagerLoad(OrmRule):
    """A query loads a relationship along with its instances, and nobody reads it.

    ## Why it is slow
    A `selectinload` is a query more, a `joinedload` makes every row wider and, for a collection, repeats it for each item.
    The instances are built and kept in memory.

    Known only from recordings made with `--deep`, where reads are counted, and judged over all runs of the query line: if any
    of them reads the relationship, the option is left alone. So are empty results, instances of which nothing is read in a
    way that can be seen, and instances that are deleted with what belongs to them.

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
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        print(author.id, author.name)
    ```

    ## Good
    ```python
    for author in session.scalars(select(Author)):
        print(author.id, author.name)
    ```
    """

    code = "ORM007"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Relationships that were loaded for many instances of a query line and read of none."""
        uses = entity_uses(recorded)
        for one in uses:
            for name, loaded, read in one.use.relationships:
                if read or loaded < MIN_INSTANCES or not one.use.touched or one.use.instances < MIN_INSTANCES:
                    continue
                option = _option(one, name)
                path = tuple((option or f"{one.use.entity}.{name}").split(" > "))
                if any(
                    other.use.origin == one.use.origin
                    and len(other.use.path) > len(one.use.path)
                    and other.use.path[: len(one.use.path)] == one.use.path
                    and other.use.path[len(one.use.path)].endswith(f".{name}")
                    and other.use.touched
                    for other in uses
                ):
                    continue
                subject = Subject(one.queries[0].fingerprint, None, (), " > ".join(path))
                if option is None:
                    reason = f"{path[-1]} is loaded eagerly by its mapping and not read here; other queries may need it"
                    yield Claim(LookedAt(self.name, subject, reason))
                elif _deletes(recorded, one.queries):
                    yield Claim(
                        LookedAt(self.name, subject, "instances are deleted, and what belongs to them with them")
                    )
                else:
                    loads = [
                        other
                        for other in recorded.loads("eager")
                        if other.orm is not None
                        and other.orm.origin == one.use.origin
                        and other.orm.path[: len(path)] == path
                    ]
                    yield Claim(self._finding(one, path, loaded, loads), loads)

    def _finding(self, one: UseAtQuery, path: tuple[str, ...], loaded: int, loads: Sequence[Execution]) -> Finding:
        strategy = _strategy(one, path[-1].rpartition(".")[2])
        loader = _LOADERS.get(strategy, strategy)
        finding = self.finding(
            one.queries, one.use.origin, ">".join(path),
            f"{path[-1]} is loaded eagerly for {loaded} instances of {path[-1].rpartition('.')[0]} and never read.",
            (
                Fact("instances loaded", one.use.instances),
                Fact("instances read", one.use.touched),
                Fact("runs of the query", one.use.executions),
                *((Fact("queries of the loader", len(loads), "queries"),) if loads else ()),
            ),
            worst=0, at_stake_ms=sum(other.duration_ms for other in loads),
        )  # fmt: skip
        taken_out = Code("Take out of the query's options", "python", f"{loader}({path[-1]})")
        codes = [taken_out, *line_code(one.use.origin)]
        runs = max(1, one.use.executions)
        return with_remedy(
            finding, f"Do not load {path[-1]} with this query",
            "No run of this line in the recording has read it. Code that was not run may: run it under --deep too before the "
            "option goes.",
            codes, before=1 + round(len(loads) / runs), after=1, saves_ms=finding.at_stake_ms, edit=_edit(one, path, loader),
        )  # fmt: skip


def _edit(one: UseAtQuery, path: tuple[str, ...], loader: str) -> LoaderEdit | None:
    """What is loaded on the way to the relationship stays. `contains_eager` is left to a reader: its join stays as well."""
    load = one.queries[0].orm
    if load is None or load.root is None or loader == "contains_eager":
        return None
    present = present_options(option for query in one.queries if query.orm is not None for option in query.orm.options)
    kept = [(_LOADERS.get(present.get(path[:end], ""), ""), path[end - 1]) for end in range(1, len(path))]
    if not all(name for name, _ in kept):
        return None
    option = ".".join(f"{name}({attribute})" for name, attribute in kept)
    if load.aliased:
        option = option.replace(f"({load.root}.", f"({ALIAS}.", 1)
    classes = tuple((attribute.rpartition(".")[0], "") for _, attribute in kept[int(load.aliased) :])
    place = edit_place(one.use.origin, one.queries) or one.use.origin
    return LoaderEdit(
        place, load.root, option, tuple(name for name, _ in kept), classes, ((loader, path[-1]),), load.aliased
    )


def _options(one: UseAtQuery, name: str) -> Iterator[tuple[str, str]]:
    """(strategy, steps) of the query's own options that load this relationship eagerly."""
    for query in one.queries:
        for option in query.orm.options if query.orm is not None else ():
            strategy, _, steps = option.partition(" ")
            names = tuple(steps.split(" > "))
            if strategy in _LOADERS and names[:-1] == one.use.path and names[-1].rpartition(".")[2] == name:
                yield strategy, steps


def _option(one: UseAtQuery, name: str) -> str | None:
    return next((steps for _, steps in _options(one, name)), None)


def _strategy(one: UseAtQuery, name: str) -> str:
    return next((strategy for strategy, _ in _options(one, name)), "")


def _deletes(recorded: Recorded, queries: Sequence[Execution]) -> bool:
    """Whether a flush of the same unit of work deletes from the tables that the query reads."""
    statement = recorded.statement(queries[0])
    tables = {scan.table for scan in statement.scans} if statement is not None else set()
    found = [
        recorded.statement(step)
        for unit in {unit_of(one) for one in queries}
        for step in recorded.units.get(unit, ())
        if isinstance(step, Execution)
    ]
    return any(one is not None and one.kind == "DELETE" and tables & set(one.tables) for one in found)
