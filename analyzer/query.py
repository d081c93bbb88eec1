"""One recorded execution of one statement, as the recorder saw it."""

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | bytes | None
"""Parameter values that survive the journal; dates, decimals, UUIDs and the like are decoded by the journal reader."""

Parameters = dict[str, object] | tuple[object, ...]
"""Bound values in the driver's own form: by name (`%(id)s`) or by position (`%s`, `$1`)."""

LoadKind = Literal["query", "lazy", "column", "eager"]


@dataclass(frozen=True, slots=True, order=True)
class CallSite:
    """A place in the application's code. `file` is relative to the working directory of the recorded program if below it."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class OrmLoad:
    """What the ORM was doing when it sent the statement.

    kind: `query` (asked for by the application), `lazy` (relationship read on an instance), `column` (deferred or
        expired attributes), `eager` (selectin/subquery loader).
    path: relationship steps from the origin query's root entity, such as `("Project.task_refs", "TaskRef.creator")`.
    to_many: for each step of `path`, whether it leads to a collection.
    parent: opaque identity of the instance whose attribute was read; equal for equal instances of one process.
    origin: where the query was executed that loaded that instance.
    """

    kind: LoadKind
    entity: str | None
    path: tuple[str, ...] = ()
    to_many: tuple[bool, ...] = ()
    parent: str | None = None
    origin: CallSite | None = None


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
