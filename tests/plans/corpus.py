"""The stored plans: gzip'd lines of JSON, one file a major, made by `make plans`."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from queryproof.analyzer.schema import Schema

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Captured:
    """One plan as PostgreSQL gave it. server: version; format: json, text, yaml or xml."""

    scenario: str
    server: str
    format: str
    plan: str

    @property
    def major(self) -> int:
        """Such as 18."""
        return int(self.server.split(".")[0])


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the catalog of a theme's database told when its plans were made."""

    theme: str
    schema: Schema


def file_of(name: str) -> Path:
    """Where the plans of one server are kept."""
    return FOLDER / f"{name}.jsonl.gz"


def write(name: str, catalogs: Iterable[Catalog], plans: Iterable[Captured]) -> None:
    """Without the time of writing, so that equal plans make equal files."""
    lines = [msgspec.json.encode(one) for one in (*catalogs, *plans)]
    with file_of(name).open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write(b"\n".join(lines) + b"\n")


def read(file: Path) -> tuple[dict[str, Schema], list[Captured]]:
    """The schemas by theme, and the plans."""
    schemas: dict[str, Schema] = {}
    plans: list[Captured] = []
    for line in gzip.decompress(file.read_bytes()).splitlines():
        if line.startswith(b'{"theme"'):
            catalog = msgspec.json.decode(line, type=Catalog)
            schemas[catalog.theme] = catalog.schema
        else:
            plans.append(msgspec.json.decode(line, type=Captured))
    return schemas, plans


def stored() -> Iterator[tuple[dict[str, Schema], list[Captured]]]:
    """Every file's content."""
    for file in sorted(FOLDER.glob("*.jsonl.gz")):
        yield read(file)
