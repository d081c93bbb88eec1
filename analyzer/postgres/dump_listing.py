"""A dump's table of contents, as pg_restore lists it: what of it a clone holds, and what could not be restored."""

import re

from ..errors import ServerError
from .clone_file import LeftOut
from .leftovers import LEFT_BEHIND, TRIAL_NAME

_LEFT_OUT_KINDS = {
    "EVENT TRIGGER": "event triggers run code on their own",
    "PROCEDURAL LANGUAGE": "only languages that came with an extension are installed",
    "FOREIGN DATA WRAPPER": "foreign data is not reached from a clone",
    "SERVER": "foreign data is not reached from a clone",
    "FOREIGN TABLE": "foreign data is not reached from a clone",
    "USER MAPPING": "it holds credentials",
    "SUBSCRIPTION": "it holds credentials",
    "ACCESS METHOD": "it is code of the source's server",
}
_SILENT_KINDS = ("EXTENSION", "COMMENT", "PUBLICATION", "POLICY", "ROW SECURITY", "DEFAULT ACL", "ACL", "BLOB")
_ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<what>.*)$")
_COLLATION = re.compile(r"^\d+; \d+ \d+ (?:SCHEMA|COLLATION) ")
_AT = re.compile(r'^pg_restore: creating (?P<kind>[A-Z ]+) "(?P<name>.*)"$')
"""Said by --verbose alone, before each object."""
_OF_A_TABLE = frozenset(
    ("table attach", "index attach", "index", "constraint", "check constraint", "fk constraint", "trigger", "default", "rule",
     "sequence owned by", "statistics")
)  # fmt: skip
_READ_BY_STATEMENTS = ("table ", "view ", "materialized view ", "index ")
_LACKS = re.compile(r'relation ".*" does not exist$')
_TRIAL = re.compile(rf"^INDEX .+ {TRIAL_NAME} ")
_FAILED = re.compile(r"^pg_restore: error: could not execute query: (?:ERROR: +)?(?P<reason>.*)$")


def chosen(listing: str) -> tuple[str, list[LeftOut]]:
    """The table of contents without what a clone must not or need not hold, and what of that is worth telling."""
    kept: list[str] = []
    notes: list[LeftOut] = []
    for line in listing.rstrip("\n").split("\n"):
        match = _ENTRY.match(line)
        what = match["what"] if match else ""
        kind = next((one for one in (*_LEFT_OUT_KINDS, *_SILENT_KINDS) if what.startswith(f"{one} ")), None)
        if _TRIAL.match(what):
            notes.append(LeftOut(_named(what), LEFT_BEHIND))
        elif kind is None:
            kept.append(line)
        elif kind not in _SILENT_KINDS:
            notes.append(LeftOut(_named(what), _LEFT_OUT_KINDS[kind]))
    return "\n".join(kept) + "\n", notes


def collations_first(listing: str) -> tuple[str, str]:
    """The lines of schemas and collations, and all others."""
    lines = listing.rstrip("\n").split("\n")
    first = [line for line in lines if _COLLATION.match(line)]
    return "\n".join(first) + "\n", "\n".join(line for line in lines if not _COLLATION.match(line)) + "\n"


def failures(said: str) -> list[LeftOut]:
    """What pg_restore --verbose could not restore: one note for each object, with PostgreSQL's first line. What is only a part
    of something that is left out is not told. Tables, views and indexes come before what they may be made with."""
    found: dict[str, str] = {}
    kind = at = ""
    for line in said.split("\n"):
        if match := _AT.match(line):
            kind = match["kind"].lower()
            at = f"{kind} {match['name']}"
        elif (match := _FAILED.match(line)) and at:
            reason = match["reason"]
            if reason.startswith("schema ") and reason.endswith("already exists"):
                continue
            if not (kind in _OF_A_TABLE and _LACKS.match(reason)):
                found.setdefault(at, reason)
        elif line.startswith("pg_restore: error: connection"):
            raise ServerError("the clone's server ended while the schema was restored")
    told = sorted(found.items(), key=lambda one: not one[0].startswith(_READ_BY_STATEMENTS))
    return [LeftOut(what, reason) for what, reason in told]


def _named(entry: str) -> str:
    """`TABLE public orders app` → `table public.orders`; the schema is `-` for what has none."""
    kind = re.match(r"(?:[A-Z]+ )+", entry)
    words = entry[kind.end() if kind else 0 :].rsplit(" ", 1)[0]
    schema, _, name = words.partition(" ")
    shown = words if not name else name if schema == "-" else f"{schema}.{name}"
    return f"{kind[0].strip().lower() if kind else 'object'} {shown}"
