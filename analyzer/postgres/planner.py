"""Asks the server for plans: of a text, of a text for no values in particular, and for a text's parameter types."""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import StatementError
from ..plan import Plan
from ..sql.guard import single_statement_kind
from .cage import explain_in_cage
from .conversation import Conversation
from .look import ExplainText
from .outcome import ConnectionLost, RecoveryConflict, TimedOut
from .plan_reader import read_plan
from .target import Target


class Planner:
    """Every question goes through the cage. timeout_s: for one of them. Methods raise StatementError as the cage does."""

    def __init__(self, conversation: Conversation, target: Target, timeout_s: float) -> None:
        self.conversation = conversation
        self.timeout_s = timeout_s
        self._target = target

    def plan(self, text: ExplainText, options: str = "", *, writes: bool = False, hidden: Sequence[str] = ()) -> Plan:
        """One plan. options: such as `ANALYZE, BUFFERS, `. writes: its transaction may write before it is rolled back.
        hidden: SQL names of indexes that it must do without; their tables are locked meanwhile.

        A standby that cancels plain EXPLAIN is asked a second time.
        """
        try:
            return self._send(text, options, writes, hidden)
        except RecoveryConflict:
            if options:
                raise
            return self._send(text, options, writes, hidden)

    def verbose(self, text: ExplainText) -> str:
        """EXPLAIN (VERBOSE, FORMAT JSON) as it comes."""
        document, _ = self._ask(text.sql, "VERBOSE, FORMAT JSON", prepare=text.prepare, plan_cache_mode=_custom(text))
        return document

    def types(self, sql: str) -> tuple[str, ...]:
        """The parameters' types, as PostgreSQL settles them."""
        _, types = self._ask("", "FORMAT JSON", prepare=sql)
        return _elements(types)

    def generic_plan(self, sql: str) -> Plan:
        """The plan of a text with `$n` for no values in particular."""
        if self.conversation.connection.server_version < 160000:
            return self._forced_generic_plan(sql)
        try:
            return self._send(ExplainText(sql, single_statement_kind(sql), sql), "GENERIC_PLAN, ", False)
        except (TimedOut, ConnectionLost):
            raise
        except StatementError as error:
            # Before 18 GENERIC_PLAN keeps unknown types where PREPARE settles them, and the other way round.
            try:
                return self._forced_generic_plan(sql)
            except ConnectionLost:
                raise
            except StatementError:
                raise error from None

    def _forced_generic_plan(self, sql: str) -> Plan:
        """NULLs are safe here and only here: a generic plan does not look at them."""
        count = len(self.types(sql))
        call = f"EXECUTE queryproof_statement({', '.join(['NULL'] * count)})"
        document, _ = self._ask(call, "SETTINGS, FORMAT JSON", prepare=sql, plan_cache_mode="force_generic_plan")
        return _without_own_settings(read_plan(document))

    def _send(self, text: ExplainText, options: str, writes: bool, hidden: Sequence[str] = ()) -> Plan:
        document, _ = self._ask(
            text.sql, f"{options}SETTINGS, FORMAT JSON", prepare=text.prepare, plan_cache_mode=_custom(text),
            writes=writes, hidden=hidden,
        )  # fmt: skip
        return _without_own_settings(read_plan(document)) if text.prepare else read_plan(document)

    def _ask(
        self, sql: str, options: str, *, prepare: str = "", plan_cache_mode: str = "", writes: bool = False,
        hidden: Sequence[str] = (),
    ) -> tuple[str, str]:  # fmt: skip
        return explain_in_cage(
            self.conversation, sql, options, timeout_s=self.timeout_s, target=self._target,
            prepare=prepare, plan_cache_mode=plan_cache_mode, writes=writes, hidden=hidden,
        )  # fmt: skip


def _custom(text: ExplainText) -> str:
    return "force_custom_plan" if text.prepare else ""


def _without_own_settings(plan: Plan) -> Plan:
    """The plan without the setting that is ours: what it tells of settings is the user's."""
    return replace(plan, settings=tuple(one for one in plan.settings if one[0] != "plan_cache_mode"))


def _elements(text: str) -> tuple[str, ...]:
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
