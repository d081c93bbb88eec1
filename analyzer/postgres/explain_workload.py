"""Explains the statements of a workload."""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2

from ..errors import StatementError
from ..plan import ExplainedQuery
from ..workload import QueryGroup, Workload
from .explain import Explainer
from .outcome import ConnectionLost


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
        except BaseException:  # Ctrl-C too cancels on the server; raised again.
            pool.shutdown(wait=False, cancel_futures=True)
            for one in explainers:
                one.cancel()
            raise
        finally:
            for one in explainers[1:]:
                one.close()
