"""Explains statements, safely: the guard, the cage and the role's rights stand between a text and the server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from psycopg2.extensions import connection as Connection

from ..errors import ServerError, StatementError
from ..plan import ExplainedQuery, Plan
from ..sql.guard import single_statement_kind
from ..sql.placeholders import has_placeholders
from ..sql.runnable_text import RunnableText, runnable_text, without_plan
from ..sql.syntax import refuse_length
from ..workload import CUT, ParameterSample, QueryGroup
from .conversation import Conversation, Reconnect
from .look import MAX_SAMPLES, NO_VALUES, ExplainText, Look, variants
from .looks import Looks
from .outcome import ConnectionLost
from .permission import Permission
from .planner import Planner
from .runnable import bind
from .sampled_texts import sampled_texts
from .side_effects import SideEffects
from .target import read_target
from .warm_runs import Once, measure, measure_in_turns

TIMEOUT_S = 20.0
MAX_COST = 1e8
"""Planner's units: statements estimated above it are not run; at the default costs as much as reading 800 GB in order."""

Answer = TypeVar("Answer")


class Explainer:
    """Explains over one connection. analyze: statements that only read may be run (EXPLAIN ANALYZE). analyze_writes: those
    that write too, in a transaction that is rolled back. timeout_s: for one statement. max_cost: what is estimated above it
    is not run. reconnect: makes a new connection when the server has ended this one. options: whether reasons may name
    --analyze and --analyze-writes, which not every command has.

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
        options: bool = True,
    ) -> None:
        self.target = read_target(connection, allow_superuser=allow_superuser)
        """The role, the search_path and the kind of server that plans are made with."""
        self.runs = analyze or analyze_writes
        self._conversation = Conversation(connection, reconnect)
        effects = SideEffects(self._conversation, self.target.search_path)
        self._permission = Permission(effects, self.target, runs=analyze, writes=analyze_writes, options=options)
        self._planner = Planner(self._conversation, self.target, timeout_s)
        self._looks = Looks(self._planner, self._permission, self._conversation, max_cost)
        self._reconnect = reconnect
        self._analyze = analyze
        self._analyze_writes = analyze_writes
        self._max_cost = max_cost
        self._allow_superuser = allow_superuser
        self._options = options

    def another(self) -> "Explainer":
        """A second explainer over a connection of its own. Raises ServerError."""
        if self._reconnect is None:
            raise ServerError("there is no way to open another connection")
        return Explainer(
            self._reconnect(), analyze=self._analyze, analyze_writes=self._analyze_writes, timeout_s=self._planner.timeout_s,
            max_cost=self._max_cost, allow_superuser=self._allow_superuser, reconnect=self._reconnect,
            options=self._options,
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
        if group.cut:
            return ExplainedQuery(group.fingerprint, None, None, CUT, "")
        try:
            return self._explain(group)
        except ConnectionLost as error:
            if not self._conversation.renew():
                raise
            return ExplainedQuery(group.fingerprint, None, None, f"its plan was lost: {error}", "")
        except StatementError as error:
            return ExplainedQuery(group.fingerprint, None, None, str(error), "")

    def texts(self, group: QueryGroup) -> tuple[tuple[str, str], ...]:
        """(statement with values in place, where these came from), one for each set of values that is known: recorded ones,
        else some from the columns' statistics. The text with its `$n` where neither are known.

        Raises StatementError when the statement may not be planned; ConnectionLost.
        """
        if group.cut:
            raise StatementError(CUT)
        samples = group.samples or (ParameterSample(group.text, None, None, NO_VALUES),)
        recorded = list(self._recorded(samples))
        found = {text.inline: text.origin for text in recorded if isinstance(text, ExplainText)}
        if found:
            return tuple(found.items())
        if command := without_plan(samples[0].sql):
            raise StatementError(f"{command} is not a statement that has a plan")
        sql = runnable_text(samples[0].sql).sql
        verdict = single_statement_kind(sql)
        self._permission.refuse(verdict)
        if not has_placeholders(sql):
            if refusal := next((one for one in recorded if isinstance(one, StatementError)), None):
                raise refusal
            return ((sql, "the statement has no parameters"),)
        texts, _ = sampled_texts(self._planner, group, sql, verdict, self.target.search_path)
        found = {text.inline: text.origin for text in texts}
        return tuple(found.items()) or ((sql, "no values in particular"),)

    def plan(self, sql: str) -> Plan:
        """The plan of a statement that needs no values. Nothing is run.

        Raises StatementError when it may not be planned or fails.
        """
        text = ExplainText(sql, single_statement_kind(sql), sql)
        self._permission.refuse(text.verdict)
        try:
            return self._planner.plan(text)
        except ConnectionLost as error:
            self._conversation.renew()
            raise StatementError(f"its plan was lost: {error}") from None

    def measure(self, sql: str, runs: int, *, timing: bool = True) -> Plan:
        """`warm_runs.measure` of a statement that needs no values. timing: time each node too, which makes a plan of many calls
        slower than it is (by 1.4 where a loop makes 120,000)."""
        return self._warm(lambda: measure(self._once(sql, "BUFFERS" if timing else "BUFFERS, TIMING OFF"), runs))

    def measure_in_turns(self, sql: str, hidden: Sequence[Sequence[str]], runs: int) -> list[Plan]:
        """`warm_runs.measure_in_turns` of a statement that needs no values; its nodes are neither timed nor their blocks counted,
        which costs most where most rows pass. While it runs, the tables of the hidden indexes are locked to others."""
        return self._warm(lambda: measure_in_turns(self._once(sql, "TIMING OFF, BUFFERS OFF"), hidden, runs))

    def _once(self, sql: str, options: str) -> Once:
        text = ExplainText(sql, single_statement_kind(sql), sql)
        self._permission.refuse(text.verdict)
        if reason := self._permission.why_not_run(text.verdict, lambda: self._planner.verbose(text)):
            raise StatementError(reason)
        writes = self._permission.writes(text.verdict)
        return lambda hidden: self._planner.plan(text, f"ANALYZE, {options}, ", writes=writes, hidden=hidden)

    def _warm(self, run: Callable[[], Answer]) -> Answer:
        """Raises StatementError when it may not be run, fails, or takes too long; the next one has a new connection if need be."""
        try:
            return run()
        except ConnectionLost as error:
            self._conversation.renew()
            raise StatementError(f"its run was lost: {error}") from None

    def _explain(self, group: QueryGroup) -> ExplainedQuery:
        samples = group.samples or (ParameterSample(group.text, None, None, NO_VALUES),)
        # All that follows reads the text again and again.
        refuse_length(samples[0].sql)
        looks, reasons = self._looks.of(self._recorded(samples))
        if looks:
            return self._answer(group, looks)
        return self._without_values(group, samples[0].sql, "; ".join(dict.fromkeys(reasons)))

    def _recorded(self, samples: Sequence[ParameterSample]) -> Iterator[ExplainText | StatementError]:
        """The samples with values, or that need none, as texts; or why one is none."""
        for sample in samples[:MAX_SAMPLES]:
            if has_placeholders(sample.sql) and not sample.values:
                continue
            try:
                bound = bind(sample, self._conversation.connection) or ""
                if command := without_plan(bound):
                    raise StatementError(f"{command} is not a statement that has a plan")
                # Without placeholders there is nothing to repair but what is wrapped around the query.
                about = ""
                if not single_statement_kind(bound).explainable:
                    repaired = runnable_text(bound)
                    bound, about = repaired.sql, _about(repaired)
                verdict = single_statement_kind(bound)
                self._permission.refuse(verdict)
                yield ExplainText(bound, verdict, bound, origin=sample.origin, about=about)
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
        self._permission.refuse(verdict)
        if not has_placeholders(repaired.sql):
            if because:
                raise StatementError(because)
            text = ExplainText(
                repaired.sql, verdict, repaired.sql, origin="the statement has no parameters", about=_about(repaired)
            )
            looks, reasons = self._looks.of([text])
            if not looks:
                raise StatementError("; ".join(reasons))
            return self._answer(group, looks)
        generic, problem = self._try_generic(repaired.sql)
        texts, why_none = sampled_texts(self._planner, group, repaired.sql, verdict, self.target.search_path)
        looks, reasons = self._looks.of(texts)
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
        return ExplainedQuery(group.fingerprint, first, inline, note, origin, variants=variants(first, looks))

    def _try_generic(self, sql: str) -> tuple[Plan | None, str]:
        try:
            return self._planner.generic_plan(sql), ""
        except ConnectionLost:
            raise
        except StatementError as error:
            return None, str(error)

    def _answer(self, group: QueryGroup, looks: list[Look]) -> ExplainedQuery:
        first = looks[0]
        note = "; ".join(filter(None, (first.text.about, first.note)))
        if policies := self._permission.policies(first.text.verdict):
            note = "; ".join(filter(None, (note, policies)))
        return ExplainedQuery(
            group.fingerprint, first.plan, first.text.inline, note, first.text.origin, first.timed_out_s,
            variants(first.plan, looks[1:]),
        )  # fmt: skip


def _about(repaired: RunnableText) -> str:
    """What was explained where the statement itself has no plan."""
    return f"what was explained is {' and '.join(repaired.repairs)}" if repaired.repairs else ""
