"""Takes the plans of several texts of one statement, and runs those that may be run."""

from collections.abc import Iterable

from ..errors import StatementError
from ..plan import Plan
from .conversation import Conversation
from .look import ExplainText, Look, outline
from .node_calls import MANY, node_calls
from .outcome import ConnectionLost, TimedOut
from .permission import Permission
from .planner import Planner


class Looks:
    """Looks over one conversation. max_cost: what is estimated above it is not run."""

    def __init__(self, planner: Planner, permission: Permission, conversation: Conversation, max_cost: float) -> None:
        self._planner = planner
        self._permission = permission
        self._conversation = conversation
        self._max_cost = max_cost

    def of(self, texts: Iterable[ExplainText | StatementError]) -> tuple[list[Look], list[str]]:
        """The plan of every text, and what went wrong. Where values lead to the same plan, only the first is run."""
        looks: list[Look] = []
        reasons: list[str] = []
        shapes: set[tuple[object, ...]] = set()
        for text in texts:
            if isinstance(text, StatementError):
                reasons.append(str(text))
                continue
            try:
                plain = self._planner.plan(text)
                shape = outline(plain)
                looks.append(self._look(text, plain) if shape not in shapes else Look(text, plain, ""))
                shapes.add(shape)
            except ConnectionLost:
                raise
            except StatementError as error:
                reasons.append(str(error))
        return looks, reasons

    def _look(self, text: ExplainText, plain: Plan) -> Look:
        """Run the text where that is allowed; else its plain plan with the reason."""
        reason = self._permission.why_not_run(text.verdict, lambda: self._planner.verbose(text))
        if not reason and plain.root.total_cost > self._max_cost:
            reason = f"its estimated cost of {plain.root.total_cost:.3g} is above the limit of {self._max_cost:.3g}"
        if reason:
            return Look(text, plain, f"planned without running it: {reason}")
        # Reading the clock at every call of every node costs more than the statement itself when there are many.
        timing = "TIMING OFF, " if node_calls(plain) > MANY else ""
        try:
            writes = self._permission.writes(text.verdict)
            plan = self._planner.plan(text, f"ANALYZE, BUFFERS, {timing}", writes=writes)
        except ConnectionLost as error:
            # The plain plan is already here; without a new connection nothing more can be asked.
            if not self._conversation.renew():
                raise
            return Look(text, plain, f"planned without running it: {error}")
        except StatementError as error:
            if isinstance(error, TimedOut):
                return Look(text, plain, f"planned only, as the run was stopped: {error}", self._planner.timeout_s)
            return Look(text, plain, f"planned without running it: {error}")
        notes = []
        if timing:
            notes.append(f"run without timing its nodes, of which about {node_calls(plain):.2g} calls were expected")
        if writes:
            notes.append(self._permission.left_behind(text.verdict))
        return Look(text, plan, "; ".join(notes))
