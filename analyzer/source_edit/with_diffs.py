"""Recommendations with the diff of the reader's own file, where the source is at hand."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..recommendation import Alternative, Code, Recommendation
from .cannot_edit import CannotEdit

LANGUAGE = "diff"


def with_diffs(recommendations: Iterable[Recommendation], directory: Path) -> list[Recommendation]:
    """Those that are an edit begin their code with its diff; where there can be none, the reason stands among what was tried.

    directory: the working directory of the recorded program, which call sites are relative to.
    """
    return [one if one.edit is None else _with_diff(one, directory) for one in recommendations]


def reported_diff(recommendation: Recommendation) -> str | None:
    """The diff that a report shows for a recommendation, None without one."""
    return next((code.text for code in recommendation.code if code.language == LANGUAGE), None)


def _with_diff(one: Recommendation, directory: Path) -> Recommendation:
    from .loader_diff import loader_diff  # It brings libcst, which takes longer than a small analysis.

    assert one.edit is not None
    place = one.edit.place
    try:
        diff = loader_diff(one.edit, directory)
    except CannotEdit as error:
        refused = Alternative(f"a diff of {place.file}, line {place.line}", str(error))
        return replace(one, alternatives=(*one.alternatives, refused))
    label = f"Diff of {place.file}; to make it: queryproof fix --apply --id {one.id}"
    return replace(one, code=(Code(label, LANGUAGE, diff), *one.code))
