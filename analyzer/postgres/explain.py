"""Explains the statements of a workload, safely."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import ExplainedQuery, Plan
from ..sql.guard import GuardVerdict, single_statement_kind
from ..workload import ParameterSample, QueryGroup, Workload
from .cage import ConnectionLost, TimedOut, explain_in_cage
from .plan_reader import read_plan
from .runnable import bind, generic

TIMEOUT_S = 20.0
MAX_COST = 1e8
"""Planner's units: statements estimated above it are not run; at the default costs that is about a day of sequential I/O
divided by a thousand, minutes on a fast disk."""

_HARMLESS = (
    "random", "setseed", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv7", "uuidv4", "uuid_generate_v4",
    "random_normal", "statement_timestamp",
)  # fmt: skip
_VOLATILE = """
SELECT n.nspname || '.' || p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.provolatile = 'v' AND NOT (p.proname = ANY(%s) AND n.nspname IN ('pg_catalog', 'public'))
  AND (p.proname = ANY(%s) OR n.nspname || '.' || p.proname = ANY(%s)) LIMIT 1
"""


class Explainer:
    """Explains over one connection. analyze: statements that only read may be run (EXPLAIN ANALYZE).

    Raises ServerError when the role is a superuser: even plain EXPLAIN runs functions marked IMMUTABLE, with the role's
    rights. With `allow_superuser` they are lowered to pg_read_all_data's (PostgreSQL 14 and later) before each statement.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        analyze: bool,
        timeout_s: float = TIMEOUT_S,
        max_cost: float = MAX_COST,
        allow_superuser: bool = False,
    ) -> None:
        self._connection = connection
        self._analyze = analyze
        self._timeout_s = timeout_s
        self._max_cost = max_cost
        self._lower_rights = _is_superuser(connection)
        self._volatile: dict[tuple[str, ...], str | None] = {}
        if self._lower_rights and not allow_superuser:
            raise ServerError(
                "this role is a superuser, and explaining a statement runs functions with its rights. Remedy: "
                "CREATE ROLE queryproof LOGIN PASSWORD '…' IN ROLE pg_read_all_data, pg_monitor; and use it in --url; "
                "or add --allow-superuser"
            )
        if self._lower_rights and connection.server_version < 140000:
            raise ServerError("before PostgreSQL 14 a superuser's rights cannot be lowered: use another role")

    def explain(self, group: QueryGroup) -> ExplainedQuery:
        """The group's plan with its slowest recorded values, or the reason why there is none. Never raises for a statement.

        Raises ConnectionLost when the server is gone.
        """
        reasons: list[str] = []
        for sample in group.samples or (ParameterSample(group.text, None, None, "no values were recorded"),):
            try:
                return self._explain_sample(group.fingerprint, sample)
            except ConnectionLost:
                raise
            except StatementError as error:
                reasons.append(str(error))
        return ExplainedQuery(group.fingerprint, None, None, reasons[0], "")

    def measure(self, sql: str, runs: int) -> Plan:
        """Run a statement `runs` times after one warming run; the plan of the run with the median time.

        Raises StatementError when it may not be run, fails, or takes too long.
        """
        verdict = single_statement_kind(sql)
        reason = self._why_not_run(verdict)
        if reason:
            raise StatementError(reason)
        first = self._run(sql, analyze=True)
        # Slow statements warm their cache in one run and repeat within a few per cent: three runs are enough.
        count = runs if (first.execution_ms or 0.0) < 500 else min(runs, 3)
        plans = sorted((self._run(sql, analyze=True) for _ in range(count)), key=lambda plan: plan.execution_ms or 0.0)
        return plans[len(plans) // 2]

    def _explain_sample(self, fingerprint: str, sample: ParameterSample) -> ExplainedQuery:
        verdict = single_statement_kind(sample.sql)
        if not verdict.explainable:
            raise StatementError(verdict.reason)
        bound = bind(sample, self._connection)
        if bound is None:
            plan = self._generic_plan(sample.sql)
            note = "planned without running it: no parameter values are known"
            return ExplainedQuery(fingerprint, plan, None, note, "a generic plan, made for no values in particular")
        plain = self._run(bound, analyze=False)
        reason = self._why_not_run(verdict)
        if not reason and plain.root.total_cost > self._max_cost:
            reason = f"its estimated cost of {plain.root.total_cost:.3g} is above the limit of {self._max_cost:.3g}"
        if reason:
            return ExplainedQuery(fingerprint, plain, bound, f"planned without running it: {reason}", sample.origin)
        try:
            return ExplainedQuery(fingerprint, self._run(bound, analyze=True), bound, "", sample.origin)
        except TimedOut as error:
            note = f"planned without running it: {error}"
            return ExplainedQuery(fingerprint, plain, bound, note, sample.origin, self._timeout_s)

    def _why_not_run(self, verdict: GuardVerdict) -> str:
        if not self._analyze:
            return "running statements was not asked for (--analyze)"
        if not verdict.runnable:
            return verdict.reason
        volatile = self._volatile_function(verdict.functions)
        return f"it calls {volatile}, which may change something" if volatile else ""

    def _volatile_function(self, functions: tuple[str, ...]) -> str | None:
        if functions not in self._volatile:
            bare = [name.rpartition(".")[2] for name in functions]
            with self._connection.cursor() as cursor:
                cursor.execute(_VOLATILE, (list(_HARMLESS), bare, list(functions)))
                row = cursor.fetchone()
            self._volatile[functions] = row[0] if row else None
        return self._volatile[functions]

    def _run(self, sql: str, *, analyze: bool, extra: str = "") -> Plan:
        options = ("ANALYZE, BUFFERS, " if analyze else "") + extra + "SETTINGS, FORMAT JSON"
        text = explain_in_cage(
            self._connection, sql, options,
            timeout_s=self._timeout_s, lower_rights=self._lower_rights, analyzed=analyze,
        )  # fmt: skip
        return read_plan(text)

    def _generic_plan(self, sql: str) -> Plan:
        if self._connection.server_version < 160000:
            raise StatementError("no parameter values are known, and plans without them need PostgreSQL 16")
        return self._run(generic(sql), analyze=False, extra="GENERIC_PLAN, ")


def explain_workload(
    workload: Workload,
    explainer: Explainer,
    progress: Callable[[str, Sequence[Any]], Iterator[Any]],
) -> dict[str, ExplainedQuery]:
    """Every group by fingerprint. One that fails never stops the rest; when the server is gone the rest says so."""
    found: dict[str, ExplainedQuery] = {}
    lost = ""
    for group in progress("Explaining", workload.groups):
        if lost:
            found[group.fingerprint] = ExplainedQuery(group.fingerprint, None, None, lost, "")
            continue
        try:
            found[group.fingerprint] = explainer.explain(group)
        except (ConnectionLost, psycopg2.Error) as error:
            lost = (
                f"not explained: {error}"
                if isinstance(error, StatementError)
                else "not explained: the connection failed"
            )
            found[group.fingerprint] = ExplainedQuery(group.fingerprint, None, None, lost, "")
    return found


def _is_superuser(connection: Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
        row = cursor.fetchone()
    return bool(row and row[0])
