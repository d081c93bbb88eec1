"""n-plus-one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...analyzer.recommendation import Alternative, Code
from ...analyzer.workload import Execution
from ..awaits import awaits
from ..edit_place import edit_place
from ..finding import Fact, Finding
from ..loader_option import fold, loader_option
from ..orm_rule import Claim, OrmRule, callers, sites, with_remedy
from ..recorded import Recorded, unit_of

MIN_PARENTS = 2
"""Instances of one query that were asked for the relationship: one is 1 + 1, which eager loading does not mend."""
MIN_CHAIN = 3
"""Steps of a walk along one self-referential relationship, one instance each."""


class NPlusOne(OrmRule):
    """One query loads instances, and then a relationship of each is loaded by a query of its own.

    ## Why it is slow
    Every query costs a round trip and the work of the driver and the ORM, however fast the server answers. Their number
    grows with the rows of the first query: 1 + N instead of 2. An option at the query that loads the instances asks once.

    One instance with one lazy load is left alone, and so are instances that were created in the session, and loads that
    a commit has made necessary again (see lazy-load-after-commit). Levels of one path are one finding: its option is the
    whole chain from the query's root.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        books: Mapped[list["Book"]] = relationship(back_populates="author")


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
        author: Mapped[Author] = relationship(back_populates="books")
    ```

    ## Bad
    ```python
    for author in session.scalars(select(Author)):
        print(len(author.books))
    ```

    ## Good
    ```python
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        print(len(author.books))
    ```
    """

    code = "ORM001"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Lazy loads by origin query and path; a path that another one leads through is part of it."""
        for family in _families(recorded):
            chains: list[_Chain] = []
            for chain in sorted(family, key=lambda one: (-len(one.path), one.path)):
                longer = next((one for one in chains if one.path[: len(chain.path)] == chain.path), None)
                if longer is not None:
                    longer.take(chain)
                elif chain.faulty:
                    chains.append(chain)
            for chain in sorted(chains, key=lambda one: one.path):
                executions = [*chain.loads, *chain.lower]
                yield Claim(self._finding(recorded, chain, executions), executions)

    def _finding(self, recorded: Recorded, chain: "_Chain", executions: Sequence[Execution]) -> Finding:
        load = chain.loads[0].orm
        assert load is not None
        origins = {(one.process, one.orm.origin_sequence) for one in executions if one.orm is not None}
        origin = recorded.origin(chain.loads[0])
        form = origin.orm.kind if origin is not None and origin.orm is not None else "query"
        place = load.origin
        steps = len(chain.path)
        worst = max(_by_origin(executions).values(), key=len)
        # A collection is one query more for each level, and so is a relationship that is followed to an end not known. What the
        # query loads eagerly already costs nothing more.
        lazily = {len(one.orm.path) for one in executions if one.orm is not None}
        followed = enumerate(zip(chain.full, chain.full_many, strict=True), 1)
        after = sum(1 for n, (step, many) in followed if n in lazily and (many or chain.full.count(step) > 1)) or 1
        if after >= len(worst):
            return self._walked(recorded, chain, executions, len(worst))
        loads = [one.orm for one in chain.loads if one.orm is not None]
        if chain.immediate:
            loads = [replace(one, check=None) for one in loads]
        queries = [found for load in chain.loads if (found := recorded.origin(load)) is not None]
        made_at = edit_place(place, queries)
        option = loader_option(chain.full, chain.full_many, loads, made_at, form)
        what = " and ".join(chain.path[-2:]) if chain.lower_faulty else chain.path[-1]
        finding = self.finding(
            executions, place or chain.loads[0].call_site, ">".join(chain.path),
            f"{what} {'are' if chain.lower_faulty else 'is'} loaded again for each instance of one query: {len(worst)} queries "
            f"where {after} would do.",
            (
                Fact("queries in the worst case", len(worst), "queries"),
                Fact("queries in all", len(executions), "queries"),
                Fact("runs of the query", len(origins)),
                Fact("read at", sites(chain.loads)),
                *callers(queries),
            ),
            worst=len(worst),
        )  # fmt: skip
        mean = (finding.at_stake_ms or 0.0) / len(executions)
        reason = f"{'Both levels' if steps == 2 else 'All levels'} are loaded" if steps > 1 else "It is loaded"
        reason += " with the query: one statement for each collection, a join for what is single."
        if awaits(chain.loads[0]):
            reason += " What is loaded is there without `awaitable_attrs`."
        return with_remedy(
            finding, f"Load {chain.path[-1]} together with the query", reason,
            tuple(option.codes(made_at, form, load.root, origin.stack if origin is not None else ())),
            before=len(worst), after=after,
            saves_ms=(finding.at_stake_ms or 0.0) - mean * after * len(origins), edit=option.edit,
            alternatives=(Alternative("An edit made for you", option.refused),) if option.refused else (),
        )  # fmt: skip

    def _walked(self, recorded: Recorded, chain: "_Chain", executions: Sequence[Execution], count: int) -> Finding:
        """One instance leads to the next: an option asks for each step by a query of its own, too."""
        load = chain.loads[0].orm
        place = load.origin if load is not None else None
        finding = self.finding(
            executions, place or chain.loads[0].call_site, ">".join(chain.path),
            f"{chain.path[-1]} is followed from one instance to the next: {count} queries, one for each step, where 1 would do.",
            (
                Fact("queries in the worst case", count, "queries"),
                Fact("queries in all", len(executions), "queries"),
                Fact("read at", sites(chain.loads)),
            ),
            worst=count,
        )  # fmt: skip
        statement = recorded.statement(chain.loads[0])
        table = statement.tables[0] if statement is not None and statement.tables else "the_table"
        total = finding.at_stake_ms or 0.0
        return with_remedy(
            finding, f"Ask for the whole chain of {chain.path[-1]} with one recursive query",
            "Eager loading would send one query for each step as well. A recursive common table expression walks on the server; the "
            "instances are then found in the session.",
            [Code("The instances of the chain", "sql", _RECURSIVE.format(table=table))], before=count, after=1,
            saves_ms=total - total / count, kind="sql-rewrite",
        )  # fmt: skip


_RECURSIVE = """WITH RECURSIVE chain AS (
  SELECT * FROM {table} WHERE … -- the first
  UNION ALL
  SELECT next.* FROM {table} AS next JOIN chain ON … -- the columns of the relationship
)
SELECT * FROM chain"""


@dataclass(slots=True)
class _Chain:
    """Loads along one path from one origin query. path: folded; full: its longest unfolded form."""

    path: tuple[str, ...]
    to_many: tuple[bool, ...]
    loads: list[Execution]
    lower: list[Execution]
    immediate: bool
    lower_faulty: bool = False

    def __post_init__(self) -> None:
        deepest = max((one.orm for one in self.loads if one.orm is not None), key=lambda load: len(load.path))
        self.full, self.full_many = deepest.path, deepest.to_many

    full: tuple[str, ...] = ()
    full_many: tuple[bool, ...] = ()

    @property
    def faulty(self) -> bool:
        """Whether more than one instance of a run of the query was asked."""
        most = max(len(_parents(loads)) for loads in _by_origin(self.loads).values())
        level = max(len(_parents(loads)) for loads in _by_origin(self.loads, by_depth=True).values())
        return level >= MIN_PARENTS or most >= MIN_CHAIN

    def take(self, shorter: "_Chain") -> None:
        """The option for this path loads the shorter one as well."""
        self.lower += shorter.loads
        self.lower_faulty |= shorter.faulty


def _families(recorded: Recorded) -> list[list[_Chain]]:
    """Chains that start at one origin query."""
    found: defaultdict[tuple[object, ...], defaultdict[tuple[str, ...], list[Execution]]]
    found = defaultdict(lambda: defaultdict(list))
    for execution in recorded.loads("lazy", "eager"):
        load = execution.orm
        if load is None or load.parent is None or load.origin_sequence is None or not load.path:
            continue
        if load.kind == "eager" and not _immediate(execution):
            continue
        if recorded.after_commit(execution) is not None:
            continue
        origin: object = load.origin or (execution.process, load.origin_sequence)
        path, _ = fold(load.path, load.to_many)
        found[origin, load.root][path].append(execution)
    families = []
    for paths in found.values():
        chains = []
        for path, loads in paths.items():
            load = loads[0].orm
            assert load is not None
            chains.append(_Chain(path, fold(load.path, load.to_many)[1], loads, [], _immediate(loads[0])))
        families.append(chains)
    return families


def _immediate(execution: Execution) -> bool:
    """Whether the query asks for exactly this by `immediateload()`: eager in name, one query for each instance all the same."""
    load = execution.orm
    return load is not None and load.kind == "eager" and f"immediate {' > '.join(load.path)}" in load.options


def _by_origin(executions: Sequence[Execution], *, by_depth: bool = False) -> dict[tuple[object, ...], list[Execution]]:
    """By run of the origin query and unit of work."""
    found: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
    for one in executions:
        if one.orm is not None:
            depth = len(one.orm.path) if by_depth else 0
            found[one.process, one.orm.origin_sequence, depth, unit_of(one) if one.unit else ""].append(one)
    return dict(found)


def _parents(executions: Sequence[Execution]) -> set[str | None]:
    return {one.orm.parent for one in executions if one.orm is not None}
