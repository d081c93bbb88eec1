"""A statement whose values nobody recorded, with values from statistics."""

from ..errors import StatementError
from ..sql.guard import GuardVerdict
from ..workload import QueryGroup
from .look import MAX_SAMPLES, NO_VALUES, ExplainText
from .outcome import ConnectionLost
from .parameter_sets import parameter_sets
from .planner import Planner
from .runnable import bind_typed, execute_call


def sampled_texts(
    planner: Planner, group: QueryGroup, sql: str, verdict: GuardVerdict, search_path: str
) -> tuple[list[ExplainText], str]:
    """(texts with values that differ, most common first; why there is none).

    Raises ConnectionLost.
    """
    if verdict.syntax is None:
        return [], NO_VALUES
    try:
        types = planner.types(sql)
        rows = group.rows / group.calls if group.rows and group.calls else None
        sets, why = parameter_sets(planner.conversation, verdict.syntax, types, search_path, rows)
    except ConnectionLost:
        raise
    except StatementError as error:
        return [], str(error)
    connection = planner.conversation.connection
    texts = [
        ExplainText(
            execute_call(one.values, connection),
            verdict,
            bind_typed(sql, one.values, types, connection),
            sql,
            one.origin,
        )
        for one in sets[:MAX_SAMPLES]
    ]
    return texts, why
