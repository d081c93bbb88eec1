"""An index on a partitioned table, built part by part: CONCURRENTLY is refused on the whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..schema import Index, Partition
from ..sql.identifier import quote_identifier, quote_qualified, shortened

if TYPE_CHECKING:
    from .candidate_index import CandidateIndex

NOTHING: Mapping[tuple[str, str], Index] = {}
SHORT = "SET lock_timeout = '5s'"
"""For statements that wait for others while still others wait behind them."""
LONG = "RESET lock_timeout"


def partition_recipe(
    index: "CandidateIndex",
    name: str,
    standing: Mapping[tuple[str, str], Index] = NOTHING,
    *,
    trial: bool = False,
    again: bool = False,
) -> list[str]:
    """Statements without semicolons: each part's index, then an empty one of the whole, to which they are attached.

    A part that is itself partitioned is built the same way, and attached when all of its own parts are. standing: by schema and
    name of a part the equal index that it has already, which is attached. again: for what can be run anew after it has
    failed on the way. An index made by ON ONLY stays invalid where a part is a foreign table, which has no indexes: there
    CREATE INDEX on the whole attaches what it finds on the parts. trial: all in one transaction, and never any but its own
    are attached.
    """
    waiting = "" if trial else "CONCURRENTLY "

    def built(parts: Sequence[Partition]) -> Iterator[str]:
        for part in parts:
            own = standing.get((part.schema, part.name))
            below = partition_index_name(name, part.name)
            if own is not None:
                yield from standing_again(index, part, own, "IF NOT EXISTS ") if again else ()
            elif part.partitioned:
                yield from built(part.parts)
            elif not part.foreign:
                if again:
                    yield f"DROP INDEX {waiting}IF EXISTS {quote_qualified(part.schema, below)}"
                yield f"{index.create} {waiting}{quote_identifier(below)} ON {index.target(part.schema, part.name)}"

    def attached(schema: str, table: str, whole: str, parts: Sequence[Partition]) -> Iterator[str]:
        yield f"{index.create} {quote_identifier(whole)} ON ONLY {index.target(schema, table)}"
        for part in (part for part in parts if not part.foreign):
            own = standing.get((part.schema, part.name))
            below = own.name if own is not None else partition_index_name(name, part.name)
            if own is None and part.partitioned:
                yield from attached(part.schema, part.name, below, part.parts)
            yield f"ALTER INDEX {quote_qualified(schema, whole)} ATTACH PARTITION {quote_qualified(part.schema, below)}"

    builds = list(built(index.partitions))
    if trial:
        return [*builds, *attached(index.schema, index.table, name, index.partitions)]
    if any_foreign(index.partitions):
        together = [f"{index.create} {quote_identifier(name)} ON {index.target(index.schema, index.table)}"]
    else:
        together = list(attached(index.schema, index.table, name, index.partitions))
    return [*builds, SHORT, *together, LONG]


def standing_again(index: "CandidateIndex", part: Partition, own: Index, unless: str = "") -> list[str]:
    """What builds a part's own index anew, which went with the index of the whole."""
    waiting = "" if part.partitioned else "CONCURRENTLY "
    index = replace(
        index, options=tuple((name, value) for name, _, value in (one.partition("=") for one in own.options))
    )
    return [f"{index.create} {waiting}{unless}{quote_identifier(own.name)} ON {index.target(part.schema, part.name)}"]


def partition_index_name(name: str, partition: str) -> str:
    """The whole's index's name and the partition's, at most 63 bytes."""
    return shortened(f"{name}_{partition}")


def any_foreign(parts: Sequence[Partition]) -> bool:
    """Whether a partition on any level is a foreign table."""
    return any(part.foreign for part in every_part(parts))


def every_part(parts: Sequence[Partition]) -> Iterator[Partition]:
    """The partitions and all that is below them, from top to bottom."""
    for part in parts:
        yield part
        yield from every_part(part.parts)
