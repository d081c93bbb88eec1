"""Selection and measurement in turns: what is built tells what planning could not know."""

from collections.abc import Callable, Collection

from .candidate_index import CandidateIndex
from .measured_set import MeasuredSet
from .selection_types import Selection
from .set_trial import SetTrial

MAX_ROUNDS = 4
"""Of selecting again."""
ALIKE = 1.05
"""Times that differ by less are alike."""


def prove_set(
    selection: Selection, select: Callable[[MeasuredSet], Selection], trial: SetTrial, budget_bytes: int | None = None
) -> tuple[Selection, MeasuredSet]:
    """Measure the selection; while some of it does not help in truth, or takes more than the budget as built, select anew.

    select: the best set by what has been measured so far. Returns the selection that leaves least of the time in truth, within the
    budget if any does, with what was measured of it: `kept` are those that help.
    """
    found = trial.measure(*_asked(selection))
    tried = [(selection, found)]
    for _ in range(MAX_ROUNDS):
        useless = any(one.index in found.useless for one in selection.chosen)
        if not useless and (budget_bytes is None or found.size_bytes <= budget_bytes):
            break
        other = select(found)
        if other.chosen == selection.chosen:
            break
        selection = other
        found = trial.measure(*_asked(selection))
        tried.append((selection, found))
    fits = [one for one in tried if budget_bytes is None or one[1].size_bytes <= budget_bytes] or tried[-1:]
    least = min(found.share for _, found in fits)
    # The last of those that are alike: its selection holds least that was taken out again.
    return next(one for one in reversed(fits) if one[1].share <= ALIKE * least)


def _asked(selection: Selection) -> tuple[list[CandidateIndex], dict[CandidateIndex, Collection[str]]]:
    return [one.index for one in selection.chosen], {one.index: one.serves for one in selection.chosen}
