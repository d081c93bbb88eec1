"""The portable file of a hollow clone: everything the planner knows about a database, and none of its rows.

A zip of three members: `manifest.json` (version, settings, sizes), `statistics.json` and `schema.dump` (pg_dump's custom
format). Statistics hold values of the data (most common values, histogram bounds) unless they were left out on purpose, so
the file is written readable by its owner alone and says what it holds.
"""

import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import OutputError, SourceError
from ..replaceable import replaceable
from .clone_statistics import ColumnStatistics, ExtendedStatistics

FORMAT = 2
SUFFIX = ".qpclone"
MAX_MEMBER_BYTES = 1 << 30
"""A member that unpacks to more is refused: 100,000 columns with 10,000 values each stay below it."""
SENSITIVE = (
    "SENSITIVE: this file holds the schema and, in its statistics, values of the data. Keep it as you keep the data."
)
WITHOUT_VALUES = "This file holds the schema; values of the data were left out of its statistics."


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, materialised view or index as pg_class and the disk have it.

    kind: pg_class.relkind. method: access method. table: of an index, else None. pages, tuples and all_visible are
    pg_class's own figures of the last VACUUM or ANALYZE; blocks: the file's present length in pages of 8 kB; level: of a
    B-tree's root, where the source could tell. Counters since the statistics were reset: rows inserted, updated (of which
    hot) and deleted; scans of the table (sequential) or index.
    """

    schema: str
    name: str
    kind: str
    method: str | None
    table: str | None
    pages: int
    tuples: float
    all_visible: int
    blocks: int
    level: int | None = None
    inserted: int = 0
    updated: int = 0
    hot_updated: int = 0
    deleted: int = 0
    scans: int = 0


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """ALTER ROLE … SET or ALTER DATABASE … SET. role or database None: for every one."""

    role: str | None
    database: bool
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension of the source, its version and the schema of its objects."""

    name: str
    version: str
    schema: str


@dataclass(frozen=True, slots=True)
class ExtensionFunction:
    """A function that came with an extension, declared again where the extension is missing. result: its RETURNS."""

    extension: str
    schema: str
    name: str
    arguments: str
    result: str
    volatility: str
    strict: bool


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation that a column or index names. provider: pg_collation.collprovider."""

    schema: str
    name: str
    provider: str
    deterministic: bool


@dataclass(frozen=True, slots=True)
class Locale:
    """Encoding and default collation of the source database. c: whether it orders text by bytes, as the C locale does."""

    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str | None
    c: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the source that the clone does not have, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class ForeignPart:
    """A partition that is a foreign table: the clone does not have it, and the source builds no index on it."""

    schema: str
    name: str
    whole_schema: str
    whole: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the source is. server_version: server_version_num; values: whether statistics hold values of the
    data; settings_role: whose settings statements are planned with, None for those of the login that read the source."""

    format: int
    notice: str
    values: bool
    made_at: str
    server_version: int
    version: str
    database: str
    role: str
    locale: Locale
    settings: tuple[tuple[str, str], ...]
    role_settings: tuple[RoleSetting, ...]
    settings_role: str | None
    extensions: tuple[Extension, ...]
    extension_functions: tuple[ExtensionFunction, ...]
    collations: tuple[Collation, ...]
    relations: tuple[Relation, ...]
    left_out: tuple[LeftOut, ...]
    counted_days: float | None = None
    """How long the source's counters have been counting; None when not known."""
    foreign_parts: tuple[ForeignPart, ...] = ()
    """Since format 2."""
    secured: tuple[tuple[str, str], ...] = ()
    """Schema and name of each table with row security, which the clone is without."""

    @property
    def major(self) -> int:
        """Major version of the source."""
        return self.server_version // 10000


@dataclass(frozen=True, slots=True)
class Statistics:
    """pg_statistic and pg_statistic_ext_data of the source."""

    columns: tuple[ColumnStatistics, ...]
    extended: tuple[ExtendedStatistics, ...]


@dataclass(frozen=True, slots=True)
class CloneFile:
    """A clone that is not running: on its way to a file, from one, or into a server. schema: pg_dump's custom format."""

    manifest: Manifest
    statistics: Statistics
    schema: bytes

    def save(self, path: Path) -> None:
        """Write the file, mode 0600, whole or not at all. Raises OutputError when that fails."""
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=replaceable(path).parent)
            try:
                with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    for member, content in (
                        ("manifest.json", msgspec.json.encode(self.manifest)),
                        ("statistics.json", msgspec.json.encode(self.statistics)),
                        ("schema.dump", self.schema),
                    ):
                        archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)
                    archive.comment = self.manifest.notice.encode()
                os.replace(name, path)
            except BaseException:  # Whatever ended it, no half-written file stays; raised again.
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class _Header:
    format: int


def load_clone(path: Path) -> CloneFile:
    """The clone kept in a file. Raises SourceError when it is none, damaged, or written by a newer queryproof."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _member(archive, "manifest.json", path)
            newest = msgspec.json.decode(manifest, type=_Header).format
            if newest > FORMAT:
                raise SourceError(f"{path} has format {newest}, and this queryproof reads up to {FORMAT}: update it")
            return CloneFile(
                msgspec.json.decode(manifest, type=Manifest),
                msgspec.json.decode(_member(archive, "statistics.json", path), type=Statistics),
                _member(archive, "schema.dump", path),
            )
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError):
        raise SourceError(f"{path} is not a file that `queryproof clone` wrote, or it is damaged") from None
    except msgspec.MsgspecError as error:
        raise SourceError(f"{path} is damaged: {error}") from None


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise SourceError(f"{path} holds more than {MAX_MEMBER_BYTES >> 20} MB in {name} and was not read")
    with archive.open(name) as file:
        content = file.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise SourceError(f"{path} holds more than {MAX_MEMBER_BYTES >> 20} MB in {name} and was not read")
    return content
