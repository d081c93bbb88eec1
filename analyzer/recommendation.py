"""A recommendation and the evidence it rests on."""

from dataclasses import dataclass
from typing import Literal

from .query import CallSite

EvidenceKind = Literal["measured", "planned", "estimated", "matched"]
ActionKind = Literal["index", "orm-edit", "sql-rewrite", "setting"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of one state, each None when not known. ms: warm median; cost: planner's units; buffers: 8 kB blocks."""

    ms: float | None = None
    cost: float | None = None
    buffers: int | None = None
    rows_read: float | None = None
    queries: int | None = None
    plan_id: str | None = None
    """Key of the plan in `Report.plans`."""


@dataclass(frozen=True, slots=True)
class QueryEvidence:
    """Before and after for one query group."""

    fingerprint: str
    before: Measurement
    after: Measurement


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a claim is known: `measured` (run before and after), `planned` (planner's cost), `estimated` (arithmetic on
    statistics), `matched` (a pattern). origin: one sentence on how the figures came about."""

    kind: EvidenceKind
    origin: str
    queries: tuple[QueryEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """Text to copy. label: what it is ("DDL", "Alembic migration", "Model", "Query"); language: sql, python, diff."""

    label: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action costs. build_ms is measured in the scratch copy; lock and write_penalty are sentences."""

    size_bytes: int | None = None
    build_ms: float | None = None
    lock: str = ""
    write_penalty: str = ""


@dataclass(frozen=True, slots=True)
class LoaderEdit:
    """A loader option to add to the statement that is executed at `place`: what a diff of the user's file is made from.

    root: class name of the statement's root entity. option: as in `OptionCheck`, `{root}` standing for the name of an aliased
    root. loaders, classes, replaces: as in `OptionCheck`. unique: `.unique()` must stand before the rows are read.
    """

    place: CallSite
    root: str
    option: str
    loaders: tuple[str, ...]
    classes: tuple[tuple[str, str], ...]
    replaces: tuple[tuple[str, str], ...] = ()
    aliased: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something else that was tried or considered, and why it was not chosen."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the recorded code costs each time it runs, at the row counts of the given database. rows: found by the query that
    the others follow; queries and ms: of those that follow. origin: one phrase on how the figures came about."""

    kind: EvidenceKind
    rows: float
    queries: float
    ms: float
    origin: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One action. id: stable across runs. settles: identities of the findings it answers. saves_ms: of the recorded
    total, None when no time is known. title: imperative sentence."""

    id: str
    kind: ActionKind
    title: str
    reason: str
    evidence: Evidence
    code: tuple[Code, ...]
    settles: tuple[str, ...]
    cost: Cost = Cost()
    saves_ms: float | None = None
    place: CallSite | None = None
    alternatives: tuple[Alternative, ...] = ()
    edit: LoaderEdit | None = None
    """Of kind `orm-edit`, where one option at one place is the whole remedy."""
    related: tuple[str, ...] = ()
    """Ids of other recommendations about the same statement: the index that makes each query of an N+1 cheaper, and back."""
    prediction: Prediction | None = None
