"""One statement or a file of plans → judged plans. Nothing is written, run or locked unless it is asked for."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg2.extensions import connection as Connection

from .analyzer.errors import SourceError, StatementError
from .analyzer.plan import ExplainedQuery, Plan
from .analyzer.postgres.catalog import read_schema
from .analyzer.postgres.clone import HollowClone
from .analyzer.postgres.clone_file import load_clone
from .analyzer.postgres.connect import connect, masked
from .analyzer.postgres.explain import MAX_COST, TIMEOUT_S, Explainer
from .analyzer.postgres.literals import without_literals
from .analyzer.postgres.plan_reader import read_plans
from .analyzer.postgres.plan_text import hide_literals
from .analyzer.schema import Schema
from .analyzer.sql.fingerprint import fingerprint, normalize
from .analyzer.sql.parse import analyse
from .analyzer.sql.placeholders import has_placeholders
from .analyzer.workload import ParameterSample, QueryGroup
from .reports.explain.judged_plan import JudgedPlan
from .rules.judge_plan import judge_plan
from .rules.plan_context import Around, PlanContext


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """Where a statement is planned, and what is allowed; as in `AnalysisRequest`."""

    url: str | None = None
    clone: Path | None = None
    analyze: bool = False
    analyze_writes: bool = False
    max_cost: float = MAX_COST
    max_seconds: float = TIMEOUT_S
    allow_superuser: bool = False
    show_parameters: bool = False


def explain_statement(sql: str, request: ExplainRequest) -> tuple[JudgedPlan, ...]:
    """The statement's plan, then those of other values where they differ.

    Raises ServerError or SourceError when nothing can be planned at all, StatementError when this statement cannot.
    """
    with ExitStack() as stack:
        explained, schema = _planned(sql, request, stack)
    if explained.plan is None:
        raise StatementError(f"there is no plan: {explained.note}")
    plans = [(explained.plan, explained.parameters_origin, explained.note)]
    plans += [(one.plan, one.origin, one.note) for one in explained.variants]
    source = "the clone" if request.clone else "the server"
    return tuple(
        _judged(plan, sql, schema, source, request.show_parameters, origin=origin, note=note)
        for plan, origin, note in plans
    )


def judge_plans(text: str, source: str, request: ExplainRequest, past: Sequence[Plan] = ()) -> tuple[JudgedPlan, ...]:
    """Every plan in the text. source: its name. past: plans that the same statement had before. With a `url` the catalog
    there tells more of the tables.

    Raises StatementError when the text holds no plan, and says what is wrong.
    """
    try:
        plans = list(read_plans(text))
    except StatementError as error:
        raise StatementError(f"{source}: {error}") from None
    with ExitStack() as stack:
        schema = read_schema(_opened(request.url, stack)) if request.url is not None else None
    earlier: dict[str, list[Plan]] = {}
    judged = []
    for number, plan in enumerate(plans, 1):
        name = source if len(plans) == 1 else f"{source}, plan {number} of {len(plans)}"
        before = earlier.setdefault(fingerprint(plan.query_text), []) if plan.query_text else []
        judged.append(_judged(plan, plan.query_text, schema, name, request.show_parameters, earlier=(*past, *before)))
        before.append(plan)
    return tuple(judged)


def compare_files(
    before: tuple[str, str], after: tuple[str, str], request: ExplainRequest
) -> tuple[JudgedPlan, JudgedPlan]:
    """Both plans judged, the second with the first as its past. before, after: (name, text).

    Raises StatementError when one holds no plan, or several.
    """
    first = _only(judge_plans(before[1], before[0], request))
    plan = next(read_plans(before[1]))
    second = _only(judge_plans(after[1], after[0], request, past=(plan,)))
    return first, second


def compare_servers(sql: str, urls: tuple[str, str], request: ExplainRequest) -> tuple[JudgedPlan, JudgedPlan]:
    """The statement's plans in two databases. Raises as `explain_statement` does."""
    if request.url or request.clone:
        raise SourceError("--compare names both databases: leave out --url and --clone")
    first, second = (explain_statement(sql, replace(request, url=url))[0] for url in urls)
    return replace(first, source=masked(urls[0])), replace(second, source=masked(urls[1]))


def _only(judged: tuple[JudgedPlan, ...]) -> JudgedPlan:
    if len(judged) > 1:
        raise StatementError(
            f"{judged[0].source.rpartition(', plan ')[0]} holds {len(judged)} plans: leave the one to compare in it"
        )
    return judged[0]


def read_text(path: Path, stdin: Callable[[], bytes], what: str, most_bytes: int) -> str:
    """The text of a file, or of standard input for `-`. what: it is read as, for the message.

    Raises SourceError naming cause and remedy when it cannot be read, is empty, is no text, or is too large.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        if str(path) != "-" and path.stat().st_size > most_bytes:
            raise SourceError(f"{name} is larger than {most_bytes >> 20} MB and was not read: cut {what} out of it")
        data = stdin() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > most_bytes:
        raise SourceError(f"{name} is larger than {most_bytes >> 20} MB and was not read: cut {what} out of it")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1") if b"\0" not in data and not _binary(data) else "\0"
    if "\0" in text:
        raise SourceError(f"{name} is no text but binary data: give {what}")
    if not text.strip():
        raise SourceError(f"{name} is empty: give {what}")
    return text


def _planned(sql: str, request: ExplainRequest, stack: ExitStack) -> tuple[ExplainedQuery, Schema]:
    if request.url is None and request.clone is None:
        raise SourceError("a statement needs a database that plans it: add --url postgresql://… or --clone FILE")
    url, hollow = request.url or "", None
    if request.clone is not None:
        if request.analyze or request.analyze_writes:
            raise SourceError("a clone holds no rows, so nothing can be run on it: leave out --analyze")
        hollow = stack.enter_context(HollowClone(load_clone(request.clone)))
        url = hollow.url
    connection = _opened(url, stack)
    explainer = Explainer(
        connection,
        analyze=request.analyze,
        analyze_writes=request.analyze_writes,
        timeout_s=request.max_seconds,
        max_cost=request.max_cost,
        allow_superuser=request.allow_superuser,
        reconnect=lambda: _opened(url, stack),
    )
    schema = hollow.schema() if hollow is not None else read_schema(connection)
    explained = explainer.explain(_lone(sql))
    if hollow is None:
        return explained, schema
    about = f"planned on a {hollow.kind}: costs and estimates, never measured"
    return ExplainedQuery(
        explained.fingerprint, explained.plan, explained.sql,
        about if explained.plan is not None else explained.note, explained.parameters_origin, variants=explained.variants,
    ), schema  # fmt: skip


def _lone(sql: str) -> QueryGroup:
    sample = ParameterSample(sql, None if has_placeholders(sql) else (), None, "values written in the statement")
    return QueryGroup(
        fingerprint=fingerprint(sql), text=normalize(sql), calls=1, total_ms=None, mean_ms=None, p50_ms=None, p95_ms=None,
        max_ms=None, rows=None, errors=0, call_sites=(), samples=(sample,), sources=(),
    )  # fmt: skip


def _judged(
    plan: Plan,
    sql: str | None,
    schema: Schema | None,
    source: str,
    show_parameters: bool,
    *,
    origin: str = "",
    note: str = "",
    earlier: Sequence[Plan] = (),
) -> JudgedPlan:
    around = Around(statement=analyse(sql, schema) if sql else None, schema=schema, earlier=tuple(earlier))
    findings, looked_at = judge_plan(PlanContext(plan, around))
    shown = plan if show_parameters else hide_literals(plan)
    statement = sql if show_parameters or sql is None else without_literals(sql)
    return JudgedPlan(shown, tuple(findings), tuple(looked_at), source, note, origin, statement)


def _opened(url: str, stack: ExitStack) -> Connection:
    connection = connect(url)
    stack.callback(connection.close)
    return connection


def _binary(data: bytes) -> bool:
    control = sum(byte < 9 or 13 < byte < 27 for byte in data[:4096])
    return control > 0
