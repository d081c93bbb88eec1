"""One recorded execution of one statement, as the recorder saw it."""

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | bytes | None
"""Parameter values that survive the journal; dates, decimals, UUIDs and the like are decoded by the journal reader."""

Parameters = dict[str, object] | tuple[object, ...]
"""Bound values in the driver's own form: by name (`%(id)s`) or by position (`%s`, `$1`)."""

LoadKind = Literal["query", "get", "lazy", "column", "refresh", "eager", "flush", "autoflush"]
ColumnCause = Literal["deferred", "expired"]
EventKind = Literal["commit", "rollback", "savepoint", "rollback savepoint", "release savepoint"]


@dataclass(frozen=True, slots=True, order=True)
class CallSite:
    """A place in the application's code. `file` is relative to the working directory of the recorded program if below it."""

    file: str
    line: int
    function: str

    @property
    def in_program(self) -> bool:
        """Whether it is code; lines of .sql files have no function."""
        return self.function != ""


@dataclass(frozen=True, slots=True)
class OptionCheck:
    """The loader option that mends a lazy load, built and compiled in the recorded program against its own mapped classes.

    option: its text, such as `selectinload(Author.books).selectinload(Book.tags)`; `{root}` stands for the name of an
        aliased root. problem: why it did not compile, None when it did. loaders: names to import from sqlalchemy.orm.
    classes: (class, module) pairs that the text names. replaces: (loader function, attribute) pairs that the query's own
        options hold for the same path, which must go.
    """

    option: str
    problem: str | None
    loaders: tuple[str, ...]
    classes: tuple[tuple[str, str], ...]
    replaces: tuple[tuple[str, str], ...] = ()
    aliased: bool = False


@dataclass(frozen=True, slots=True)
class OrmLoad:
    """What the ORM was doing when it sent the statement.

    kind: `query` (asked for by the application), `get` (Session.get), `lazy` (relationship read on an instance), `column`
        (deferred or expired attributes), `refresh` (Session.refresh), `eager` (selectin/subquery loader), `flush` and
        `autoflush` (a write of the unit of work, the second caused by a query).
    entity: what the statement loads; of a column load, whose columns they are. None for writes.
    path: relationship steps from the origin query's root entity, such as `("Project.task_refs", "TaskRef.creator")`; of a
        column load, the steps to the instance whose columns they are.
    to_many: for each step of `path`, whether it leads to a collection.
    parent: opaque identity of the instance whose attribute was read; equal for equal instances of one process.
    origin: where the query was executed that loaded that instance. origin_sequence: that execution's sequence number.
        Both None when no recorded query did: it was created in this session. origin alone None: outside the application.
    root: the origin query's root entity. aliased: it was an `aliased()` one. streamed: the origin query used yield_per.
    options: loader options that the origin query carried already, such as `selectin Author.books > Book.tags`, `defer
        Author.bio`, `joined Book.author`; `populate_existing`. Root, aliased, streamed and options stand at the origin query's own record too.
    cause: why a column was not there. attributes: what the load of a deferred column fetches, or Session.refresh is told to.
        owner: of columns that were not there and that the class which the query names has not, the subclass that has them.
        flush: number of the flush that the statement belongs to.
    roots: distinct root entities among the rows of a query with joined eager loads of collections, where counted: not
        when the session knew some of them already. members: (relationship, instances, whether each has one root only) of the
        root's joined collections, counted with the roots.
    check: carried by one lazy load of each origin and path, the first of a second parent.
    renamed: columns of the entity whose attributes are called otherwise, with these. columns: the query asks for columns or
        expressions, or for several things in a row, not for instances alone.
    """

    kind: LoadKind
    entity: str | None
    path: tuple[str, ...] = ()
    to_many: tuple[bool, ...] = ()
    parent: str | None = None
    origin: CallSite | None = None
    origin_sequence: int | None = None
    root: str | None = None
    aliased: bool = False
    streamed: bool = False
    options: tuple[str, ...] = ()
    cause: ColumnCause | None = None
    attributes: tuple[str, ...] = ()
    owner: str | None = None
    flush: int | None = None
    roots: int | None = None
    members: tuple[tuple[str, int, bool], ...] = ()
    check: OptionCheck | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    columns: bool = False

    def attribute(self, column: str) -> str:
        """The entity's attribute of that column."""
        return dict(self.renamed).get(column, column)

    @property
    def joined(self) -> bool:
        """Whether an option joins what it loads: rows may then repeat instances."""
        return any(option.startswith(("joined ", "contains ")) for option in self.options)

    @property
    def deferred(self) -> bool:
        """Whether it fetches columns of an instance that its query has left out."""
        return self.kind == "column" and self.cause == "deferred"


@dataclass(frozen=True, slots=True)
class Scope:
    """A unit of work that statements are counted in: a request, test, task or named block. id: unique in its process."""

    kind: str
    name: str
    id: int


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something between statements: the end of a transaction or a savepoint, with the code that caused it."""

    kind: EventKind
    process: str
    sequence: int
    thread: str
    task: str | None
    transaction: int | None
    call_site: CallSite | None
    scope: Scope | None = None
    stack: tuple[CallSite, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityUse:
    """What became of the instances that one query line loaded: recorded by `--deep` only, added up per process.

    origin: where the query was executed. path: relationship steps from the query's root to this entity, () for the root.
    executions: runs of the query. instances: loaded by them. touched: instances of which any attribute was read.
    loaded: column attributes that were loaded; read: column attributes of which at least one instance's was read.
    relationships: eagerly loaded relationship attributes with (times loaded, times read).
    """

    process: str
    origin: CallSite
    entity: str
    path: tuple[str, ...]
    executions: int
    instances: int
    touched: int
    loaded: tuple[str, ...]
    read: tuple[str, ...]
    relationships: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """One execution. Times: `started_at` seconds since the epoch (a label), `duration_ms` monotonic.

    sql: the exact text the driver got. parameters: None when not recorded; a tuple of parameter sets for executemany.
    rows: rows returned or affected; None when the driver does not tell. error: class name of the driver's exception.
    process: random run id of the recording process. task: asyncio task name, or None outside a task.
    call_site: innermost application frame. stack: up to five application frames, innermost first.
    """

    sql: str
    parameters: Parameters | None
    duration_ms: float
    rows: int | None
    started_at: float
    process: str
    sequence: int
    thread: str
    task: str | None = None
    transaction: int | None = None
    executemany: bool = False
    error: str | None = None
    driver: str = ""
    call_site: CallSite | None = None
    stack: tuple[CallSite, ...] = ()
    orm: OrmLoad | None = None
    truncated: bool = False
    """The text was cut at the journal's limit: it can be grouped but not explained."""
    scope: Scope | None = None
    streamed: bool = False
    """The rows were asked for a few at a time (`yield_per`, `stream_results`, `stream()`)."""
