"""Explains the statements of a workload, safely."""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import ExplainedQuery, Plan, PlanVariant
from ..sql.guard import GuardVerdict, single_statement_kind
from ..sql.placeholders import has_placeholders
from ..sql.runnable_text import runnable_text, without_plan
from ..workload import ParameterSample, QueryGroup, Workload
from .cage import explain_in_cage
from .conversation import Conversation, Reconnect
from .node_calls import MANY, node_calls
from .outcome import ConnectionLost, RecoveryConflict, TimedOut
from .parameter_sets import parameter_sets
from .plan_names import plan_names
from .plan_reader import read_plan
from .runnable import bind, bind_typed, execute_call
from .side_effects import SideEffects
from .target import read_target

TIMEOUT_S = 20.0
MAX_COST = 1e8
"""Planner's units: statements estimated above it are not run; at the default costs that is about a day of sequential I/O
divided by a thousand, minutes on a fast disk."""
MAX_SAMPLES = 3
"""Sets of parameter values per statement."""
NO_VALUES = "no parameter values are known"


@dataclass(frozen=True, slots=True)
class _Text:
    """What is sent: a statement by itself, or an EXECUTE of what is prepared before. verdict: the guard's, on the statement.

    inline: the same statement with its values written into it.
    """

    sql: str
    verdict: GuardVerdict
    inline: str
    prepare: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class _Look:
    """A text's plan, and why it is not what was hoped for."""

    text: _Text
    plan: Plan
    note: str
    timed_out_s: float | None = None


class Explainer:
    """Explains over one connection. analyze: statements that only read may be run (EXPLAIN ANALYZE). analyze_writes: those
    that write too, in a transaction that is rolled back. timeout_s: for one statement. max_cost: what is estimated above it
    is not run. reconnect: makes a new connection when the server has ended this one.

    Raises ServerError when nothing may be explained with this role, or the server is nearly out of connections. With
    `allow_superuser` a superuser's rights are lowered to pg_read_all_data's (PostgreSQL 14 and later) for each statement.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        analyze: bool,
        analyze_writes: bool = False,
        timeout_s: float = TIMEOUT_S,
        max_cost: float = MAX_COST,
        allow_superuser: bool = False,
        reconnect: Reconnect | None = None,
    ) -> None:
        self.target = read_target(connection, allow_superuser=allow_superuser)
        """The role, the search_path and the kind of server that plans are made with."""
        self.runs = analyze or analyze_writes
        self._conversation = Conversation(connection, reconnect)
        self._effects = SideEffects(self._conversation, self.target.search_path)
        self._reconnect = reconnect
        self._analyze = analyze
        self._analyze_writes = analyze_writes
        self._timeout_s = timeout_s
        self._max_cost = max_cost
        self._allow_superuser = allow_superuser

    def another(self) -> "Explainer":
        """A second explainer over a connection of its own. Raises ServerError."""
        if self._reconnect is None:
            raise ServerError("there is no way to open another connection")
        return Explainer(
            self._reconnect(), analyze=self._analyze, analyze_writes=self._analyze_writes, timeout_s=self._timeout_s,
            max_cost=self._max_cost, allow_superuser=self._allow_superuser, reconnect=self._reconnect,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connection that the explainer uses now."""
        self._conversation.connection.close()

    def cancel(self) -> None:
        """Cancel on the server what is being explained; from any thread."""
        self._conversation.cancel()

    def explain(self, group: QueryGroup) -> ExplainedQuery:
        """The group's plan with its slowest recorded values, the plans of other values where they differ, or the reason why
        there is none. Never raises for a statement.

        Raises ConnectionLost when the server is gone and does not come back.
        """
        try:
            return self._explain(group)
        except ConnectionLost as error:
            if not self._conversation.renew():
                raise
            return ExplainedQuery(group.fingerprint, None, None, f"its plan was lost: {error}", "")
        except StatementError as error:
            return ExplainedQuery(group.fingerprint, None, None, str(error), "")

    def measure(self, sql: str, runs: int) -> Plan:
        """Run a statement `runs` times after one warming run; the plan of the run with the median time.

        Raises StatementError when it may not be run, fails, or takes too long.
        """
        text = _Text(sql, single_statement_kind(sql), sql)
        self._refuse(text.verdict)
        if reason := self._why_not_run(text):
            raise StatementError(reason)
        first = self._plan(text, "ANALYZE, BUFFERS, ")
        # Slow statements warm their cache in one run and repeat within a few per cent: three runs are enough.
        count = runs if (first.execution_ms or 0.0) < 500 else min(runs, 3)
        plans = sorted(
            (self._plan(text, "ANALYZE, BUFFERS, ") for _ in range(count)), key=lambda plan: plan.execution_ms or 0.0
        )
        return plans[len(plans) // 2]

    def _explain(self, group: QueryGroup) -> ExplainedQuery:
        samples = group.samples or (ParameterSample(group.text, None, None, NO_VALUES),)
        looks, reasons = self._looks(self._recorded(samples))
        if looks:
            return self._answer(group, looks)
        return self._without_values(group, samples[0].sql, "; ".join(dict.fromkeys(reasons)))

    def _recorded(self, samples: Sequence[ParameterSample]) -> Iterator[_Text | StatementError]:
        """The samples with values, or that need none, as texts; or why one is none."""
        for sample in samples[:MAX_SAMPLES]:
            if has_placeholders(sample.sql) and not sample.values:
                continue
            try:
                bound = bind(sample, self._conversation.connection) or ""
                if command := without_plan(bound):
                    raise StatementError(f"{command} is not a statement that has a plan")
                # Without placeholders there is nothing to repair but what is wrapped around the query.
                bound = runnable_text(bound).sql if not single_statement_kind(bound).explainable else bound
                verdict = single_statement_kind(bound)
                self._refuse(verdict)
                yield _Text(bound, verdict, bound, origin=sample.origin)
            except ConnectionLost:
                raise
            except StatementError as error:
                yield error

    def _without_values(self, group: QueryGroup, sql: str, because: str) -> ExplainedQuery:
        """A generic plan; and, where statistics give values, the plans for those."""
        if command := without_plan(sql):
            raise StatementError(f"{command} is not a statement that has a plan")
        repaired = runnable_text(sql)
        verdict = single_statement_kind(repaired.sql)
        self._refuse(verdict)
        if not has_placeholders(repaired.sql):
            if because:
                raise StatementError(because)
            (look,), _ = self._looks(
                [_Text(repaired.sql, verdict, repaired.sql, origin="the statement has no parameters")]
            )
            return self._answer(group, [look])
        generic, problem = self._try_generic(repaired.sql)
        texts, why_none = self._from_statistics(group, repaired.sql, verdict)
        looks, reasons = self._looks(texts)
        repairs = f" (repaired: {', '.join(repaired.repairs)})" if repaired.repairs else ""
        because = f"; the recorded values could not be used: {because}" if because else ""
        ran = next((index for index, look in enumerate(looks) if look.plan.analyzed or look.timed_out_s), None)
        if ran is not None:
            looks.insert(0, looks.pop(ran))
            answer = self._answer(group, looks)
            told = f"{answer.parameters_origin} were taken, as {NO_VALUES}{because}{repairs}"
            return replace(answer, note="; ".join(filter(None, (told, answer.note))))
        if generic is None and not looks:
            raise StatementError(problem or because or "; ".join(reasons))
        first = generic or looks[0].plan
        note = f"planned without running it: {NO_VALUES}{because}{repairs}"
        if self.runs:
            why = looks[0].note.partition(": ")[2] if looks else why_none or "; ".join(dict.fromkeys(reasons))
            note = "; ".join(filter(None, (note, why)))
        origin = "a generic plan, made for no values in particular" if generic else looks[0].text.origin
        inline = looks[0].text.inline if looks else None
        return ExplainedQuery(group.fingerprint, first, inline, note, origin, variants=_variants(first, looks))

    def _try_generic(self, sql: str) -> tuple[Plan | None, str]:
        try:
            return self._generic_plan(sql), ""
        except ConnectionLost:
            raise
        except StatementError as error:
            return None, str(error)

    def _generic_plan(self, sql: str) -> Plan:
        if self._conversation.connection.server_version >= 160000:
            try:
                return self._send(_Text(sql, single_statement_kind(sql), sql), "GENERIC_PLAN, ")
            except TimedOut:
                raise
            except ConnectionLost:
                raise
            except StatementError as error:
                # Before 18 GENERIC_PLAN keeps unknown types where PREPARE settles them, and the other way round.
                try:
                    return self._forced_generic_plan(sql)
                except ConnectionLost:
                    raise
                except StatementError:
                    raise error from None
        return self._forced_generic_plan(sql)

    def _forced_generic_plan(self, sql: str) -> Plan:
        """NULLs are safe here and only here: a generic plan does not look at them."""
        count = len(self._types(sql))
        call = f"EXECUTE queryproof_statement({', '.join(['NULL'] * count)})"
        document, _ = self._ask(call, "SETTINGS, FORMAT JSON", prepare=sql, plan_cache_mode="force_generic_plan")
        return read_plan(document)

    def _types(self, sql: str) -> tuple[str, ...]:
        """The parameters' types, as PostgreSQL settles them. Raises StatementError when it cannot."""
        _, types = self._ask("", "FORMAT JSON", prepare=sql)
        return _array(types)

    def _from_statistics(self, group: QueryGroup, sql: str, verdict: GuardVerdict) -> tuple[list[_Text], str]:
        if verdict.syntax is None:
            return [], NO_VALUES
        try:
            types = self._types(sql)
            rows = group.rows / group.calls if group.rows and group.calls else None
            sets, why = parameter_sets(self._conversation, verdict.syntax, types, self.target.search_path, rows)
        except ConnectionLost:
            raise
        except StatementError as error:
            return [], str(error)
        connection = self._conversation.connection
        texts = [
            _Text(
                execute_call(one.values, connection), verdict,
                bind_typed(sql, one.values, types, connection), sql, one.origin,
            )
            for one in sets[:MAX_SAMPLES]
        ]  # fmt: skip
        return texts, why

    def _looks(self, texts: Sequence[_Text] | Iterator[_Text | StatementError]) -> tuple[list[_Look], list[str]]:
        """The plan of every text, and what went wrong. Where values lead to the same plan, only the first is run."""
        looks: list[_Look] = []
        reasons: list[str] = []
        shapes: set[tuple[object, ...]] = set()
        for text in texts:
            if isinstance(text, StatementError):
                reasons.append(str(text))
                continue
            try:
                plain = self._plan(text, "")
                shape = plan_shape(plain)
                looks.append(self._look(text, plain) if shape not in shapes else _Look(text, plain, ""))
                shapes.add(shape)
            except ConnectionLost:
                raise
            except StatementError as error:
                reasons.append(str(error))
        return looks, reasons

    def _look(self, text: _Text, plain: Plan) -> _Look:
        """Run the text where that is allowed; else its plain plan with the reason."""
        reason = self._why_not_run(text)
        if not reason and plain.root.total_cost > self._max_cost:
            reason = f"its estimated cost of {plain.root.total_cost:.3g} is above the limit of {self._max_cost:.3g}"
        if reason:
            return _Look(text, plain, f"planned without running it: {reason}")
        # Reading the clock at every call of every node costs more than the statement itself when there are many.
        timing = "TIMING OFF, " if node_calls(plain) > MANY else ""
        try:
            plan = self._plan(text, f"ANALYZE, BUFFERS, {timing}")
        except ConnectionLost:
            raise
        except StatementError as error:
            waited = self._timeout_s if isinstance(error, TimedOut) else None
            return _Look(text, plain, f"planned without running it: {error}", waited)
        notes = []
        if timing:
            notes.append(f"run without timing its nodes, of which about {node_calls(plain):.2g} calls were expected")
        if self._writes(text.verdict):
            notes.append(self._left_behind(text))
        return _Look(text, plan, "; ".join(notes))

    def _answer(self, group: QueryGroup, looks: list[_Look]) -> ExplainedQuery:
        first = looks[0]
        note = first.note
        if policies := self._policies(first.text):
            note = "; ".join(filter(None, (note, policies)))
        return ExplainedQuery(
            group.fingerprint, first.plan, first.text.inline, note, first.text.origin, first.timed_out_s,
            _variants(first.plan, looks[1:]),
        )  # fmt: skip

    def _refuse(self, verdict: GuardVerdict) -> None:
        """Raise StatementError unless plain EXPLAIN may be asked for."""
        if not verdict.explainable or verdict.syntax is None:
            raise StatementError(verdict.reason)
        if reason := self._effects.when_planned(verdict.syntax):
            raise StatementError(f"not even planned: {reason}")

    def _why_not_run(self, text: _Text) -> str:
        verdict = text.verdict
        if not self.runs:
            return "running statements was not asked for (--analyze)"
        if not verdict.runnable and not self._writes(verdict):
            return verdict.reason + (" (--analyze-writes runs it and rolls it back)" if verdict.writes else "")
        if verdict.syntax is None:
            return verdict.reason
        document, _ = self._ask(text.sql, "VERBOSE, FORMAT JSON", prepare=text.prepare, plan_cache_mode=_custom(text))
        return self._effects.when_run(verdict.syntax, *plan_names(document), writes=self._writes(verdict))

    def _writes(self, verdict: GuardVerdict) -> bool:
        return self._analyze_writes and verdict.explainable and verdict.writes

    def _left_behind(self, text: _Text) -> str:
        if text.verdict.syntax is None:
            return ""
        remains = self._effects.remains(text.verdict.syntax)
        told = ["dead row versions until the next VACUUM", "WAL"]
        if remains.sequences:
            told.append(f"sequences that may have moved on ({', '.join(remains.sequences)})")
        fired = f"; its triggers ran: {', '.join(remains.triggers)}" if remains.triggers else ""
        return f"run in a transaction that was rolled back; it leaves {', '.join(told)}{fired}"

    def _policies(self, text: _Text) -> str:
        if text.verdict.syntax is None or not text.verdict.syntax.relations:
            return ""
        tables = self._effects.policies(text.verdict.syntax, always=self.target.lower)
        role = "pg_read_all_data" if self.target.lower else self.target.role
        return f"row security of {', '.join(tables)} is that of role {role}, not the application's" if tables else ""

    def _plan(self, text: _Text, options: str) -> Plan:
        """One plan; on a standby that cancels it, a second try before the error."""
        try:
            return self._send(text, options)
        except RecoveryConflict:
            if options:
                raise
            return self._send(text, options)

    def _send(self, text: _Text, options: str) -> Plan:
        document, _ = self._ask(
            text.sql, f"{options}SETTINGS, FORMAT JSON", prepare=text.prepare, plan_cache_mode=_custom(text),
            writes="ANALYZE" in options and self._writes(text.verdict),
        )  # fmt: skip
        return read_plan(document)

    def _ask(
        self, sql: str, options: str, *, prepare: str = "", plan_cache_mode: str = "", writes: bool = False
    ) -> tuple[str, str]:
        return explain_in_cage(
            self._conversation, sql, options, timeout_s=self._timeout_s, target=self.target,
            prepare=prepare, plan_cache_mode=plan_cache_mode, writes=writes,
        )  # fmt: skip


def explain_workload(
    workload: Workload,
    explainer: Explainer,
    progress: Callable[[str, Sequence[Any]], Iterator[Any]],
    connections: int = 1,
) -> dict[str, ExplainedQuery]:
    """Every group by fingerprint. One that fails never stops the rest; when the server is gone the rest says so.

    connections: used at the same time, for plain EXPLAIN only; statements that are run are run one at a time.
    """
    count = 1 if explainer.runs else max(1, min(connections, len(workload.groups)))
    explainers = [explainer, *(explainer.another() for _ in range(count - 1))]
    free: queue.SimpleQueue[Explainer] = queue.SimpleQueue()
    for one in explainers:
        free.put(one)
    lost: list[str] = []

    def explain(group: QueryGroup) -> ExplainedQuery:
        if lost:
            return ExplainedQuery(group.fingerprint, None, None, lost[0], "")
        one = free.get()
        try:
            return one.explain(group)
        except (ConnectionLost, psycopg2.Error) as error:
            known = isinstance(error, StatementError)
            lost.append(f"not explained: {error}" if known else "not explained: the connection failed")
            return ExplainedQuery(group.fingerprint, None, None, lost[0], "")
        finally:
            free.put(one)

    if count == 1:
        return {group.fingerprint: explain(group) for group in progress("Explaining", workload.groups)}
    with ThreadPoolExecutor(count) as pool:
        try:
            answers = [pool.submit(explain, group) for group in workload.groups]
            return {answer.result().fingerprint: answer.result() for answer in progress("Explaining", answers)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for one in explainers:
                one.cancel()
            raise
        finally:
            for one in explainers[1:]:
                one.close()


def plan_shape(plan: Plan) -> tuple[object, ...]:
    """What makes two plans the same: kinds of nodes, their relations and indexes, and how they hang together."""
    return tuple(
        (node.type, node.relation, node.alias, node.index, len(node.children), node.parent_relationship)
        for node in plan.root.walk()
    )


def _variants(first: Plan, looks: Sequence[_Look]) -> tuple[PlanVariant, ...]:
    """One plan for each shape that is not the first's."""
    shapes = {plan_shape(first)}
    found = []
    for look in looks:
        if plan_shape(look.plan) not in shapes:
            shapes.add(plan_shape(look.plan))
            found.append(PlanVariant(look.plan, look.text.origin, look.note))
    return tuple(found)


def _custom(text: _Text) -> str:
    return "force_custom_plan" if text.prepare else ""


def _array(text: str) -> tuple[str, ...]:
    """The elements of PostgreSQL's text of a regtype[]: `{integer,"character varying"}`."""
    elements: list[str] = []
    current, quoted = "", False
    for character in text.strip("{}"):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            elements.append(current)
            current = ""
        else:
            current += character
    return (*elements, current) if current else tuple(elements)
