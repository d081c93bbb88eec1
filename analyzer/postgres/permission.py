"""What may be done with a statement on this server, and what a run of it leaves behind."""

from collections.abc import Callable

from ..errors import StatementError
from ..sql.guard import GuardVerdict
from .plan_names import plan_names
from .side_effects import SideEffects
from .target import Target


class Permission:
    """The guard's verdict, the options, and the catalogue's word on every function, together.

    runs: statements that only read may be run. writes: those that write too, to be rolled back. options: whether the command has
    options that allow more, which reasons then name.
    """

    def __init__(self, effects: SideEffects, target: Target, *, runs: bool, writes: bool, options: bool = True) -> None:
        self.runs = runs or writes
        self._effects = effects
        self._target = target
        self._allow_writes = writes
        self._options = options

    def refuse(self, verdict: GuardVerdict) -> None:
        """Raise StatementError unless plain EXPLAIN may be asked for."""
        if not verdict.explainable or verdict.syntax is None:
            raise StatementError(verdict.reason)
        if reason := self._effects.when_planned(verdict.syntax):
            raise StatementError(f"not even planned: {reason}")

    def why_not_run(self, verdict: GuardVerdict, verbose_plan: Callable[[], str]) -> str:
        """Empty when it may be run. verbose_plan: asks for EXPLAIN (VERBOSE, FORMAT JSON), which names what views unfold to.

        Raises StatementError when that fails.
        """
        if not self.runs:
            return "running statements was not asked for" + (" (--analyze)" if self._options else "")
        if not verdict.runnable and not self.writes(verdict):
            remedy = " (--analyze-writes runs it and rolls it back)" if verdict.writes and self._options else ""
            return verdict.reason + remedy
        if verdict.syntax is None:
            return verdict.reason
        return self._effects.when_run(verdict.syntax, *plan_names(verbose_plan()), writes=self.writes(verdict))

    def writes(self, verdict: GuardVerdict) -> bool:
        """Whether it writes and may be run all the same."""
        return self._allow_writes and verdict.explainable and verdict.writes

    def left_behind(self, verdict: GuardVerdict) -> str:
        """What a rolled-back write leaves: one sentence."""
        if verdict.syntax is None:
            return ""
        remains = self._effects.remains(verdict.syntax)
        told = ["dead row versions until the next VACUUM", "WAL"]
        if remains.sequences:
            told.append(f"sequences that may have moved on ({', '.join(remains.sequences)})")
        fired = f"; its triggers ran: {', '.join(remains.triggers)}" if remains.triggers else ""
        return f"run in a transaction that was rolled back; it leaves {', '.join(told)}{fired}"

    def policies(self, verdict: GuardVerdict) -> str:
        """Which row security the plan shows, where there is any: one sentence."""
        if verdict.syntax is None or not verdict.syntax.relations:
            return ""
        tables = self._effects.policies(verdict.syntax, always=self._target.lower)
        role = "pg_read_all_data" if self._target.lower else self._target.role
        return f"row security of {', '.join(tables)} is that of role {role}, not the application's" if tables else ""
