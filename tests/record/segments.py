"""A journal written and read in one line, for the tests of its faults."""

from pathlib import Path

from queryproof.analyzer.errors import SourceError
from queryproof.analyzer.record.journal import Journal, text_fields
from queryproof.analyzer.sources.journal import read_journal


def put(journal: Journal, number: int, sql: str = "SELECT 1") -> bool:
    known = journal.statements.known.get(sql) or journal.refer(journal.statements, sql, lambda: text_fields(sql))
    return bool(journal.write(f'{{"t":"q","i":{number},{known or text_fields(sql)},"at":{number},"d":1000,"th":"main"'))


def numbers(directory: Path) -> list[int]:
    try:
        return sorted(query.sequence for query in read_journal(directory)[0])
    except SourceError:
        return []


def notes(directory: Path) -> str:
    return " ".join(read_journal(directory)[1].notes)


def segment_of(directory: Path, count: int = 60) -> Path:
    journal = Journal(directory, parameters=False)
    for number in range(count):
        put(journal, number, f"SELECT {number % 3}")
    journal.close()
    (segment,) = directory.glob("*.jsonl")
    return segment
