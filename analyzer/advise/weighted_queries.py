"""A workload as selection sees it: each query group with its statements, values in place, and the calls it counts for."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ..errors import StatementError
from ..postgres.explain import Explainer
from ..postgres.outcome import ConnectionLost
from ..sql.placeholders import has_placeholders
from ..workload import ParameterSample, QueryGroup, Skipped, Workload
from .selection_types import WeightedQuery


def weighted_queries(
    workload: Workload,
    explainer: Explainer,
    progress: Callable[[str, Sequence[QueryGroup]], Iterator[QueryGroup]],
) -> tuple[tuple[WeightedQuery, ...], tuple[Skipped, ...]]:
    """Every group that can be planned, and what was left out with the reason. A statement that the source does not count
    (a .sql file) counts once. When the server is lost, the rest is left out and said."""
    counted = _counted(workload)
    found: list[WeightedQuery] = []
    skipped: list[Skipped] = []
    lost = ""
    for group in progress("Binding values", workload.groups):
        if lost:
            skipped.append(Skipped(f"query {group.fingerprint}", lost))
            continue
        try:
            texts = explainer.texts(group)
        except ConnectionLost as error:
            lost = f"not advised: {error}"
            skipped.append(Skipped(f"query {group.fingerprint}", lost))
        except StatementError as error:
            skipped.append(Skipped(f"query {group.fingerprint}", str(error)))
        else:
            shares = _shares(group, len(texts), counted)
            weighed = tuple((text, share) for (text, _), share in zip(texts, shares, strict=True))
            found.append(WeightedQuery(group.fingerprint, weighed, float(max(group.calls, 1)), _assumed(group)))
    return tuple(found), tuple(skipped)


def _assumed(group: QueryGroup) -> bool:
    if any(sample.values for sample in group.samples):
        return False
    return has_placeholders(group.samples[0].sql if group.samples else group.text)


def _counted(workload: Workload) -> Counter[tuple[str, str]]:
    return Counter((one.fingerprint, one.parameters) for one in workload.executions if one.parameters is not None)


def _shares(group: QueryGroup, count: int, counted: Counter[tuple[str, str]]) -> list[float]:
    """By how often each sample's values were recorded; equal where that is not known. Add up to 1."""
    calls = [counted[group.fingerprint, _digest(sample)] for sample in group.samples[:count]]
    if len(calls) != count or not all(calls):
        return [1.0 / count] * count
    return [own / sum(calls) for own in calls]


def _digest(sample: ParameterSample) -> str:
    return hashlib.sha256(repr(sample.values).encode("utf-8", "surrogatepass")).hexdigest()[:16]
