"""column-load-in-loop."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...analyzer.query import OrmLoad
from ...analyzer.recommendation import Code, LoaderEdit
from ...analyzer.workload import Execution
from ..awaits import awaits
from ..edit_place import edit_place
from ..finding import Fact, Finding
from ..loader_option import ALIAS, UNNAMED, fold
from ..option_codes import option_codes
from ..orm_rule import Claim, OrmRule, sites, with_remedy
from ..recorded import Recorded, loop_key, unit_of
from ..refreshed import refreshed_loads, refreshed_relationships
from ..source import alias_name, called_on
from ..undefer import defaultloads, undefer

MIN_DEFERRED = 2
"""Instances of one query whose deferred columns were loaded: none of these loads was needed."""
MIN_RENEWED = 3
"""Expired or refreshed instances in one go: one or two after a change are how it should be."""


class ColumnLoadInLoop(OrmRule):
    """Columns of loaded instances are fetched by one more query for each instance.

    ## Why it is slow
    A column that the query has left out (`defer`, `load_only`, `deferred()`), or that `expire` or a rollback has thrown away,
    is loaded when it is read: one round trip for each instance. `undefer()` at the query brings it along; rows that must
    be read again can be read again in one query.

    A reload or two after a change are left alone, and so are refreshes that each follow a write.

    ## Setup
    ```python
    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        biography: Mapped[str] = mapped_column(deferred=True, default="")
        books: Mapped[list["Book"]] = relationship()


    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    ```

    ## Bad
    ```python
    for author in session.scalars(select(Author)):
        print(author.biography)
    ```

    ## Good
    ```python
    from sqlalchemy.orm import undefer

    for author in session.scalars(select(Author).options(undefer(Author.biography))):
        print(author.biography)
    ```
    """

    code = "ORM002"

    def look(self, recorded: Recorded) -> Iterator[Claim]:
        """Deferred columns by the query that left them out, the rest by the loop that reads them."""
        deferred: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
        renewed: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
        inherited: defaultdict[tuple[object, ...], list[Execution]] = defaultdict(list)
        for execution in recorded.loads("column", "refresh"):
            load = execution.orm
            if load is None or load.parent is None or recorded.after_commit(execution) is not None:
                continue
            if load.deferred:
                if load.origin_sequence is not None:
                    origin: object = load.origin or (execution.process, load.origin_sequence)
                    deferred[origin, load.root, load.entity, load.owner, fold(load.path, load.to_many)[0]].append(
                        execution
                    )
            elif _is_of_a_subclass(recorded, execution, load):
                inherited[load.origin, load.root, fold(load.path, load.to_many)[0]].append(execution)
            else:
                renewed[unit_of(execution), load.kind, load.entity, loop_key(execution)].append(execution)
        for executions in deferred.values():
            runs: defaultdict[tuple[object, ...], set[str | None]] = defaultdict(set)
            for one in executions:
                assert one.orm is not None
                runs[one.process, one.orm.origin_sequence].add(one.orm.parent)
            worst = max(map(len, runs.values()))
            if worst >= MIN_DEFERRED:
                yield Claim(self._deferred(recorded, executions, worst, len(runs)), executions)
        for executions in inherited.values():
            if len({one.orm.parent for one in executions if one.orm}) >= MIN_DEFERRED:
                yield Claim(self._inherited(recorded, executions), executions)
        for executions in renewed.values():
            if len({one.orm.parent for one in executions if one.orm}) >= MIN_RENEWED and not _after_writes(
                recorded, executions
            ):
                related = [] if _columns(recorded, executions) else refreshed_loads(recorded, executions)
                finding = (
                    refreshed_relationships(self, executions, related)
                    if related
                    else self._renewed(recorded, executions)
                )
                yield Claim(finding, [*executions, *related])

    def _deferred(self, recorded: Recorded, executions: Sequence[Execution], worst: int, runs: int) -> Finding:
        load = executions[0].orm
        assert load is not None
        columns = _attributes(executions) or _columns(recorded, executions)
        named = " and ".join(columns) or "columns"
        place = load.origin
        finding = self.finding(
            executions, place or executions[0].call_site, ">".join((*load.path, load.entity or "?", *columns)),
            f"{load.entity}'s {named} {'were' if len(columns) > 1 else 'was'} left out of one query and then loaded for each "
            f"instance: {worst} queries that it would have saved.",
            (
                Fact("queries in the worst case", worst, "queries"),
                Fact("queries in all", len(executions), "queries"),
                Fact("read at", sites(executions)),
            ),
            worst=worst,
        )  # fmt: skip
        if not columns or load.entity is None or (load.owner is not None and load.path):
            # Columns that only a subclass of what a relationship leads to has: which option reaches them is not tried.
            return finding
        option = undefer(executions, columns)
        text = option
        if load.aliased:
            name = alias_name(place, load.root) if place is not None and load.root is not None else None
            text = option.replace(ALIAS, name or UNNAMED)
        present = [one for one in load.options if one.startswith("defer ")]
        replaces = tuple(
            ("defer", f"{load.entity}.{column}")
            for column in columns
            if any(one.endswith(f"{load.entity}.{column}") for one in present)
        )
        origin = recorded.origin(executions[0])
        form = origin.orm.kind if origin is not None and origin.orm is not None else "query"
        separate = load.owner is not None and not load.aliased
        imports = ("selectin_polymorphic", "undefer") if separate else ("undefer" if not load.path else "defaultload",)
        root = None if load.aliased else load.root
        codes = [*option_codes(text, place, form, root, origin.stack if origin is not None else ())]
        if replaces:
            codes.append(Code("It replaces", "python", ", ".join(f"{name}({what})" for name, what in replaces)))
        codes.append(Code("Import", "python", f"from sqlalchemy.orm import {', '.join(imports)}"))
        edit = None
        if place is not None and load.root is not None and form != "refresh" and (load.attributes or len(columns) == 1):
            made_at = (
                edit_place(place, [found for one in executions if (found := recorded.origin(one)) is not None]) or place
            )
            edit = LoaderEdit(made_at, load.root, option, imports, (), replaces, load.aliased)
        return with_remedy(
            finding, f"Load {' and '.join(f'{load.entity}.{column}' for column in columns)} with the query",
            f"{'The columns come' if len(columns) > 1 else 'The column comes'} with "
            f"{f'one query for all rows of {load.owner}' if separate else 'the row that is read anyway'}.",
            codes, before=worst, after=int(separate), saves_ms=finding.at_stake_ms, edit=edit,
        )  # fmt: skip

    def _inherited(self, recorded: Recorded, executions: Sequence[Execution]) -> Finding:
        load = executions[0].orm
        assert load is not None
        count = len(executions)
        names = sorted({one.orm.entity for one in executions if one.orm and one.orm.entity})
        subclasses = ", ".join(names)
        finding = self.finding(
            executions, load.origin, f"{' > '.join(load.path) or load.root} as {subclasses}",
            f"A query of {load.root} leaves out the columns that {subclasses} {'add' if len(names) > 1 else 'adds'} to "
            f"{f'what {load.path[-1]} holds' if load.path else 'it'}; they are loaded for each instance: {count} queries.",
            (Fact("queries in all", count, "queries"), Fact("read at", sites(executions))),
            worst=count,
        )  # fmt: skip
        option = f"selectin_polymorphic({load.root}, [{subclasses}])"
        loader = "selectin_polymorphic"
        if load.path:
            option, loader = f"{defaultloads(load)}.selectin_polymorphic([{subclasses}])", "defaultload"
        edit = None
        if load.aliased:
            name = alias_name(load.origin, load.root) if load.origin is not None and load.root is not None else None
            option = option.replace(ALIAS if load.path else str(load.root), name or UNNAMED, 1)
        elif load.origin is not None and load.root is not None:
            edit = LoaderEdit(load.origin, load.root, option, (loader,), ())
        origin = recorded.origin(executions[0])
        form = origin.orm.kind if origin is not None and origin.orm is not None else "query"
        root = None if load.aliased else load.root
        codes = [
            *option_codes(option, load.origin, form, root, origin.stack if origin is not None else ()),
            Code("Import", "python", f"from sqlalchemy.orm import {loader}"),
        ]
        after = len(names)
        mean = (finding.at_stake_ms or 0.0) / count
        return with_remedy(
            finding, f"Load the columns of {subclasses} with the query of {load.root}",
            "selectin_polymorphic sends one query for each subclass, however many instances there are.",
            codes, before=count, after=after, saves_ms=max(0.0, (finding.at_stake_ms or 0.0) - mean * after), edit=edit,
        )  # fmt: skip

    def _renewed(self, recorded: Recorded, executions: Sequence[Execution]) -> Finding:
        load = executions[0].orm
        assert load is not None
        count = len(executions)
        how = "refreshed" if load.kind == "refresh" else "expired and read again"
        entity = load.entity or "instance"
        finding = self.finding(
            executions, executions[0].call_site, f"{load.kind} {entity}",
            f"{count} instances of {entity} are {how} one by one, where one query would read them all.",
            (Fact("queries in all", count, "queries"), Fact("read at", sites(executions))),
            worst=count,
        )  # fmt: skip
        keys = _primary_key(recorded, executions[0])
        session = called_on(executions[0].call_site, ("refresh",), "session")
        begin, end = (f"(await {session}.scalars(", "))") if awaits(executions[0]) else (f"{session}.scalars(", ")")
        named = ", ".join(f"{entity}.{key}" for key in keys or ("id",))
        named = f"tuple_({named})" if len(keys) > 1 else named
        statement = recorded.statement(executions[0])
        locks = statement is not None and any(scan.locks for scan in statement.scans)
        lock = ".order_by(…).with_for_update()" if locks else ""
        text = (
            f"{begin}\n    select({entity}).where({named}.in_(ids)){lock},\n"
            f'    execution_options={{"populate_existing": True}},\n{end}.all()'
        )
        mean = (finding.at_stake_ms or 0.0) / count
        return with_remedy(
            finding, f"Read the {entity} rows again in one query",
            "With populate_existing one query renews all instances that the session holds. What has not changed elsewhere need "
            "not be expired or refreshed at all.",
            [Code("One query for all" if keys else "One query for all (id stands for the primary key)", "python", text)],
            before=count, after=1, saves_ms=(finding.at_stake_ms or 0.0) - mean,
        )  # fmt: skip


def _is_of_a_subclass(recorded: Recorded, execution: Execution, load: OrmLoad) -> bool:
    """Whether the columns are those that a subclass keeps in a table of its own: nothing of the instance has expired."""
    if load.kind != "column" or load.origin is None or load.root in (None, load.entity):
        return False
    if load.path:
        return load.owner is not None
    statement = recorded.statement(execution)
    return statement is not None and len(statement.tables) == 1


def _after_writes(recorded: Recorded, executions: Sequence[Execution]) -> bool:
    """Whether most of them follow a write of their own."""
    own = {(one.process, one.sequence) for one in executions}
    written = False
    after = 0
    for step in recorded.units[unit_of(executions[0])]:
        if isinstance(step, Execution):
            if (step.process, step.sequence) in own:
                after += written
                written = False
            elif recorded.writes(step):
                written = True
    return after > len(executions) / 2


def _primary_key(recorded: Recorded, execution: Execution) -> tuple[str, ...]:
    """The attributes by which the instance's row is found; empty where they cannot be told."""
    statement = recorded.statement(execution)
    load = execution.orm
    scans = statement.scans if statement is not None else ()
    if len(scans) != 1 or load is None:
        return ()
    columns = [
        one.column for one in scans[0].predicates if one.kind == "equality" and not one.join and one.constant is None
    ]
    names = tuple(load.attribute(name) for name in dict.fromkeys(columns) if name is not None)
    return names if None not in columns and all(name.isidentifier() for name in names) else ()


def _attributes(executions: Sequence[Execution]) -> tuple[str, ...]:
    """What the loads fetch, by the names of the mapping."""
    return tuple(sorted({name for one in executions if one.orm is not None for name in one.orm.attributes}))


def _columns(recorded: Recorded, executions: Sequence[Execution]) -> tuple[str, ...]:
    """Names of the columns that were loaded: those of the select list, less those that find the row."""
    names: dict[str, None] = {}
    for one in executions:
        statement = recorded.statement(one)
        for scan in statement.scans if statement is not None else ():
            keys = {predicate.column for predicate in scan.predicates}
            names |= dict.fromkeys(column for column in scan.columns or () if column not in keys)
    # An attribute may be named otherwise than its column: the query's own options tell.
    options = executions[0].orm.options if executions[0].orm is not None else ()
    named = {one.rpartition(".")[2] for one in options if one.startswith(("defer ", "load "))}
    return tuple(sorted(names, key=lambda name: (name not in named, name)))
