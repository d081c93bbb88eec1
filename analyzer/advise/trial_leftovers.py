"""Trial indexes that a killed run left on the user's server: they do not count as existing ones."""

import re
from dataclasses import dataclass, replace

from ..postgres.leftovers import LEFT_BEHIND, TRIAL_NAME
from ..schema import Schema
from ..workload import Skipped

_TRIAL = re.compile(TRIAL_NAME)


@dataclass(frozen=True, slots=True)
class TrialLeftovers:
    """schema: without them. names: `schema.name` of each."""

    schema: Schema
    names: tuple[str, ...]

    def notes(self, *, seen: bool) -> tuple[Skipped, ...]:
        """What is said of them. seen: whether plans use them all the same."""
        more = "; until then plans use it" if seen else ""
        return tuple(Skipped(f"index {name}", LEFT_BEHIND + more) for name in self.names)


def without_leftovers(schema: Schema) -> TrialLeftovers:
    """The schema as it is meant to be."""
    names: list[str] = []
    tables = []
    for table in schema.tables:
        names += [f"{table.schema}.{index.name}" for index in table.indexes if _TRIAL.fullmatch(index.name)]
        kept = tuple(index for index in table.indexes if not _TRIAL.fullmatch(index.name))
        tables.append(replace(table, indexes=kept))
    return TrialLeftovers(replace(schema, tables=tuple(tables)), tuple(names))
