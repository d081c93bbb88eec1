"""An index on a partitioned table, built part by part: CONCURRENTLY is refused on the whole."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..schema import Partition
from ..sql.identifier import quote_identifier, quote_qualified

if TYPE_CHECKING:
    from .candidate_index import CandidateIndex

MAX_NAME_BYTES = 63
"""NAMEDATALEN − 1: PostgreSQL cuts longer names silently."""
NOTHING: Mapping[tuple[str, str], str] = {}


def partition_recipe(
    index: "CandidateIndex",
    name: str,
    standing: Mapping[tuple[str, str], str] = NOTHING,
    *,
    trial: bool = False,
    again: bool = False,
) -> list[str]:
    """Statements without semicolons: an empty index of the whole first, then each part's, then their attachment.

    A part that is itself partitioned is built the same way, and attached when all of its own parts are. standing: by schema and
    name of a part the equal index that it has already, which is attached. again: for what can be run anew after it has
    failed on the way. An index made by ON ONLY stays invalid where a part is a foreign table, which has no indexes: there the
    parts come first, and CREATE INDEX on the whole attaches those it finds. trial: all in one transaction, and never any but
    its own are attached.
    """
    waiting = "" if trial else "CONCURRENTLY "
    create = "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"

    def leaf(part: Partition, own: str) -> list[str]:
        left = [f"DROP INDEX {waiting}IF EXISTS {quote_qualified(part.schema, own)}"] if again else []
        return [*left, f"{create} {waiting}{quote_identifier(own)} ON {index.target(part.schema, part.name)}"]

    def present(part: Partition, own: str) -> list[str]:
        return standing_again(index, part, own, "IF NOT EXISTS ") if again else []

    def whole(schema: str, table: str, own: str, parts: Sequence[Partition]) -> list[str]:
        statements = [f"{create} {quote_identifier(own)} ON ONLY {index.target(schema, table)}"]
        for part in (part for part in parts if not part.foreign):
            below = standing.get((part.schema, part.name))
            if below is not None:
                statements += present(part, below)
            elif part.partitioned:
                below = partition_index_name(name, part.name)
                statements += whole(part.schema, part.name, below, part.parts)
            else:
                below = partition_index_name(name, part.name)
                statements += leaf(part, below)
            attached = quote_qualified(part.schema, below)
            statements.append(f"ALTER INDEX {quote_qualified(schema, own)} ATTACH PARTITION {attached}")
        return statements

    if trial or not any(part.foreign for part in every_part(index.partitions)):
        return whole(index.schema, index.table, name, index.partitions)
    statements = []
    for part in _leaves(index.partitions, standing):
        own = standing.get((part.schema, part.name))
        statements += leaf(part, partition_index_name(name, part.name)) if own is None else present(part, own)
    return [*statements, f"{create} {quote_identifier(name)} ON {index.target(index.schema, index.table)}"]


def standing_again(index: "CandidateIndex", part: Partition, own: str, unless: str = "") -> list[str]:
    """What builds a part's own index anew, which went with the index of the whole."""
    create = "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"
    waiting = "" if part.partitioned else "CONCURRENTLY "
    return [f"{create} {waiting}{unless}{quote_identifier(own)} ON {index.target(part.schema, part.name)}"]


def partition_index_name(name: str, partition: str) -> str:
    """The whole's index's name and the partition's, at most 63 bytes."""
    full = f"{name}_{partition}"
    if len(full.encode()) <= MAX_NAME_BYTES:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{full.encode()[: MAX_NAME_BYTES - 9].decode(errors='ignore')}_{digest}"


def every_part(parts: Sequence[Partition]) -> Iterator[Partition]:
    """The partitions and all that is below them, from top to bottom."""
    for part in parts:
        yield part
        yield from every_part(part.parts)


def _leaves(parts: Sequence[Partition], standing: Mapping[tuple[str, str], str]) -> Iterator[Partition]:
    """What holds rows of its own, and partitioned parts that have their index already. No foreign tables."""
    for part in parts:
        if part.partitioned and (part.schema, part.name) not in standing:
            yield from _leaves(part.parts, standing)
        elif not part.foreign:
            yield part
