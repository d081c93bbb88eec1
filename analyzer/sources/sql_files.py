"""Statements from .sql files: no times and no counts, but text and a place."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import SourceError
from ..query import CallSite
from ..sql.fingerprint import fingerprint, normalize
from ..sql.placeholders import has_placeholders
from ..sql.tokens import split_statements
from ..workload import ParameterSample, QueryGroup, Skipped, Source, Workload
from .grouping import MAX_SAMPLES, MAX_SITES, is_control, ranked

_COPY = re.compile(
    r"^(copy\b[^;]*\bfrom\s+stdin\b[^;]*;)[^\n]*\n.*?^\\\.[ \t]*$", re.IGNORECASE | re.DOTALL | re.MULTILINE
)
_QUOTED_OR_META = re.compile(
    r"""(?:(?<!\w)[eE]'(?:[^'\\]++|\\(?:.|\Z)|'')*+(?:'|\Z)|'(?:[^']++|'')*+(?:'|\Z)|"(?:[^"]++|"")*+(?:"|\Z)|--[^\n]*+
    |/\*.*?(?:\*/|\Z)|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    |:'(?P<variable>[^\W\d]\w*)'
    |(?P<meta>\\;|\\(?P<command>[a-zA-Z!?]+)[^\n]*+)""",
    re.DOTALL | re.VERBOSE,
)
_SENDING = frozenset(("g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch", "bind", "parse"))
"""psql's commands that end a statement as a semicolon does."""

MAX_STATEMENT = 2_000_000
"""Characters: what is longer is a load of data, and would take minutes to be taken apart."""
TOO_LONG = (
    "it is longer than 2 MB and was not read: give its values as one array parameter, = ANY($1), or shorten the list"
)
HEAD = 8192
MOST_CONTROL = 0.05
"""Share of control characters in the first bytes of a file above which it is no text."""


def read_sql_files(paths: Sequence[Path]) -> Workload:
    """One workload of all statements in the files and in the directories' .sql files.

    Raises SourceError when a path does not exist, cannot be read, or no file holds a statement.
    """
    files = [file for path in paths for file in _files(path)]
    groups: dict[str, _Found] = {}
    sources: list[Source] = []
    skipped: list[Skipped] = []
    for file in files:
        notes: list[str] = []
        statements = _statements(file, notes)
        sources.append(Source("sql file", str(file), len(statements), None, tuple(notes)))
        for line, text in statements:
            if is_control(text):
                skipped.append(Skipped(f"{file}:{line}", "it only steers the session"))
                continue
            if len(text) > MAX_STATEMENT:
                skipped.append(Skipped(f"{file}:{line}", TOO_LONG))
                continue
            key = fingerprint(text)
            if key not in groups:
                groups[key] = _Found(key, text)
            groups[key].add(text, CallSite(str(file), line, ""))
    if not groups:
        long = "; one that is longer than 2 MB is not read" if any(one.reason == TOO_LONG for one in skipped) else ""
        raise SourceError(f"no statement was found in {', '.join(map(str, paths))}{long}")
    return Workload(ranked(found.group() for found in groups.values()), (), tuple(sources), tuple(skipped))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.rglob("*.sql"))
        if not found:
            raise SourceError(f"{path} holds neither a recording nor any .sql file")
        return found
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    return [path]


def _statements(file: Path, notes: list[str]) -> list[tuple[int, str]]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    head = data[:HEAD]
    if sum(byte < 9 or 13 < byte < 27 for byte in head) > len(head) * MOST_CONTROL:
        raise SourceError(f"{file} is no text but binary data: name .sql files, or the directory of a recording")
    text = data.decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith(("{", "[")):
        raise SourceError(
            f"{file} is JSON and no SQL. A recording is named by its directory; plans are shown by `queryproof explain --plan-file`"
        )
    if "\ufffd" in text:
        notes.append("bytes that are not UTF-8 were replaced")
    if "\0" in text:
        notes.append("NUL bytes were replaced by spaces")
        text = text.replace("\0", " ")
    text = _COPY.sub(lambda match: match[1] + "\n" * match[0].count("\n"), text)
    left_out: list[str] = []
    without = _QUOTED_OR_META.sub(lambda match: _replaced(match, left_out), text)
    if left_out:
        notes.append("psql's backslash commands were left out")
    found = []
    position, line = 0, 1
    for statement in split_statements(without, routines=True):
        begin = without.index(statement, position)
        line += without.count("\n", position, begin)
        found.append((line, statement))
        position = begin
    return found


def _replaced(match: re.Match[str], left_out: list[str]) -> str:
    """A semicolon or nothing for psql's commands, a placeholder for `:'variable'`; what is quoted stays."""
    if match["variable"] is not None:
        return f":{match['variable']}"
    if match["meta"] is None:
        return match[0]
    left_out.append(match["meta"])
    return ";" if match["meta"] == "\\;" or match["command"] in _SENDING else ""


class _Found:
    """The statements of one fingerprint, as they are read."""

    def __init__(self, key: str, text: str) -> None:
        self.key, self.text = key, normalize(text)
        self.places: Counter[CallSite] = Counter()
        self.samples: list[ParameterSample] = []
        self.sources: dict[str, None] = {}

    def add(self, text: str, place: CallSite) -> None:
        """One more of them."""
        self.places[place] += 1
        self.sources[place.file] = None
        if len(self.samples) < MAX_SAMPLES:
            values = None if has_placeholders(text) else ()
            self.samples.append(ParameterSample(text, values, None, "values written in the file"))

    def group(self) -> QueryGroup:
        """All of them."""
        return QueryGroup(
            fingerprint=self.key,
            text=self.text,
            calls=self.places.total(),
            total_ms=None,
            mean_ms=None,
            p50_ms=None,
            p95_ms=None,
            max_ms=None,
            rows=None,
            errors=0,
            call_sites=tuple(sorted(self.places.items())[:MAX_SITES]),
            samples=tuple(self.samples),
            sources=tuple(self.sources),
        )
