"""Opens the best door to what-if planning that there is: a hollow clone, HypoPG, a scratch copy, or none."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..postgres.catalog import read_schema
from ..postgres.clone import HollowClone
from ..postgres.clone_file import CloneFile, Relation, load_clone
from ..postgres.clone_source import read_source
from ..postgres.connect import connect
from ..schema import Schema
from ..workload import Skipped
from .builder import Builder
from .clone_what_if import CloneWhatIf
from .hypopg_what_if import HypopgWhatIf
from .scratch_what_if import ScratchWhatIf
from .trial_leftovers import without_leftovers
from .what_if import WhatIf

NO_DOOR = "estimates alone"


@dataclass(frozen=True, slots=True)
class Door:
    """what_if: None when nothing can be planned with indexes that do not exist. connection: where statements are planned.
    reopen: another such connection, as the clone's server may have been restarted. counters: of a clone's source. drops:
    whether existing indexes can be switched off. left_out: what plans lack, and why. secured: schema and name of each table with row
    security that its plans are without."""

    what_if: WhatIf | None
    connection: Connection
    schema: Schema
    reopen: Callable[[], Connection]
    left_out: tuple[Skipped, ...] = ()
    counters: tuple[Relation, ...] = ()
    drops: bool = True
    secured: frozenset[tuple[str, str]] = frozenset()

    @property
    def kind(self) -> str:
        """In words, for the evidence."""
        return self.what_if.kind if self.what_if is not None else NO_DOOR


def open_door(url: str | None, clone: Path | None, stack: ExitStack, builder: Builder | None = None) -> Door:
    """Of the file `clone`, else of the database at `url`. What it opens is closed by `stack`.

    builder: for a scratch copy, where indexes may be built. Raises ServerError or SourceError when not even the database
    can be read.
    """
    if clone is not None:
        return _hollow(load_clone(clone), stack)
    try:
        return _hollow(read_source(url or ""), stack)
    except ServerError as error:
        refused = Skipped("hollow clone", f"none could be made: {error}")
    return _second_choice(lambda: _open(url or "", stack), refused, builder)


def without_door(url: str, stack: ExitStack, reason: str) -> Door:
    """The database itself, with nothing to plan indexes that do not exist: estimates alone."""
    connection = _open(url, stack)
    notes = (Skipped("what-if planning", reason),)
    return _doorless(connection, lambda: _open(url, stack), notes)


def _second_choice(reopen: Callable[[], Connection], refused: Skipped, builder: Builder | None) -> Door:
    connection = reopen()
    try:
        hypopg = HypopgWhatIf(reopen())
        return Door(
            hypopg, connection, hypopg.schema(), reopen, (refused, _hypopg_lacks(), *hypopg.notes), drops=hypopg.hides
        )
    except ServerError as error:
        notes = [refused, Skipped("HypoPG", f"not used: {error}")]
    if builder is None:
        return _doorless(connection, reopen, notes)
    try:
        scratch = ScratchWhatIf(reopen(), builder)
        return Door(scratch, connection, scratch.schema(), reopen, (*notes, *scratch.notes))
    except (ServerError, StatementError) as error:
        notes.append(Skipped("building on a scratch copy", str(error)))
    return _doorless(connection, reopen, notes)


def _doorless(connection: Connection, reopen: Callable[[], Connection], notes: Sequence[Skipped]) -> Door:
    leftovers = without_leftovers(read_schema(connection))
    return Door(
        None, connection, leftovers.schema, reopen, (*notes, *leftovers.notes(seen=True)), drops=False
    )  # fmt: skip


def _hypopg_lacks() -> Skipped:
    return Skipped(
        "GIN, GiST and partial indexes", "HypoPG cannot try them: a hollow clone could (see what is said of it above)"
    )


def _hollow(file: CloneFile, stack: ExitStack) -> Door:
    hollow = stack.enter_context(HollowClone(file))
    notes = tuple(Skipped(note.what, note.reason) for note in hollow.left_out)

    def reopen() -> Connection:
        return _open(hollow.url, stack)

    secured = frozenset(file.manifest.secured)
    return Door(CloneWhatIf(hollow), reopen(), hollow.schema(), reopen, notes, file.manifest.relations, secured=secured)


def _open(url: str, stack: ExitStack) -> Connection:
    connection = connect(url)
    stack.callback(connection.close)
    return connection
