"""What a journal's records say. Versions 1 and 2."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

from ..query import CallSite, EntityUse, EventKind, LoadKind, OrmLoad, RecordedQuery, Scope, SessionEvent
from ..sql.placeholders import number_question_marks
from .journal_fields import (
    Members,
    check_of,
    count_of,
    duration_of,
    members_of,
    moment_of,
    number_of,
    parameters_of,
    text_of,
)
from .losses import Losses
from .segment import Segment, decode_line, segment_lines

MARKED = frozenset(("pysqlite", "aiosqlite", "pysqlcipher"))
"""Drivers that write `?` for a value."""
MAX_WAITING = 10_000
"""Executions held back because what they refer to has not come yet: its first copy is damaged."""

_OF_THIS_ONE = frozenset(("pa", "os", "f", "fx"))
"""What a record says of its own load besides the shape that it shares with others."""


class Records:
    """Reads runs one after the other; keeps what belongs to the whole recording (events, uses, roots, losses)."""

    def __init__(self, losses: Losses) -> None:
        self.losses = losses
        self.events: dict[tuple[str, int], SessionEvent] = {}
        self._uses: dict[tuple[object, ...], tuple[int, EntityUse]] = {}
        self._sites: dict[tuple[object, ...], CallSite] = {}
        self._scopes: dict[tuple[object, ...], Scope] = {}

    def entity_uses(self) -> tuple[EntityUse, ...]:
        """The last word of each process on each origin, entity and path."""
        uses = [use for _, use in self._uses.values()]
        return tuple(sorted(uses, key=lambda use: (use.process, use.origin, use.path, use.entity)))

    def read_run(self, segments: list[Segment]) -> Iterator[RecordedQuery]:
        """The executions of one recording process. A segment of which there are two states is read as their union."""
        parts = [segment.part for segment in segments]
        self.losses.rotated += min(parts)
        self._tables: dict[str, dict[int, Any]] = {"s": {}, "k": {}, "o": {}}
        self._roots: dict[int, tuple[int, Members]] = {}
        self._waiting: list[dict[str, Any]] = []
        held: dict[int, RecordedQuery] = {}
        seen: set[int] | None = set() if len(set(parts)) < len(parts) else None
        run = segments[0].run
        for segment in segments:
            for record in self._records(segment):
                query = self._take(record, run)
                if query is None:
                    continue
                if seen is not None:
                    if query.sequence in seen:
                        continue
                    seen.add(query.sequence)
                if query.orm is not None and query.orm.kind == "query" and query.orm.roots is None:
                    # The count of its roots comes in one of the next records.
                    held[query.sequence] = query
                    if len(held) > 100:
                        yield held.pop(next(iter(held)))
                else:
                    yield query
                for sequence in self._roots.keys() & held.keys():
                    yield self._rooted(held.pop(sequence))
        for query in held.values():
            yield self._rooted(query)
        for record in self._waiting:
            query = self._query(record, run, last=True)
            if query is not None and (seen is None or query.sequence not in seen):
                yield query

    def _rooted(self, query: RecordedQuery) -> RecordedQuery:
        count, members = self._roots.pop(query.sequence, (0, ()))
        if query.orm is None or not count:
            return query
        return replace(query, orm=replace(query.orm, roots=count, members=members))

    def _records(self, segment: Segment) -> Iterator[dict[str, Any]]:
        seen = False
        for line in segment_lines(segment):
            seen = True
            record = decode_line(line)
            if record is None:
                self.losses.damaged += 1
            else:
                yield record
        if not seen:
            self.losses.empty.append(segment.path.name)

    def _take(self, record: dict[str, Any], run: str) -> RecordedQuery | None:
        try:
            match record.get("t"):
                case "q":
                    return self._query(record, run)
                case "s":
                    cut = "length" in record
                    self.losses.cut += cut and record["id"] not in self._tables["s"]
                    self._tables["s"][int(record["id"])] = (str(record["sql"]), cut)
                case "k":
                    self._tables["k"][int(record["id"])] = self._stack(record["st"])
                case "o":
                    self._tables["o"][int(record["id"])] = self._orm(record)
                case "r":
                    self._roots[int(record["i"])] = int(record["r"]), members_of(record.get("c"))
                case "e":
                    event = self._event(record, run)
                    self.events[run, event.sequence] = event
                case "u":
                    self._take_use(record, run)
                case "x":
                    self.losses.dropped += count_of(record["n"])
                    self.losses.reasons.add(str(record["why"])[:200])
                case "f":
                    self.losses.faults += 1
                    self.losses.off |= bool(record.get("off"))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            self.losses.damaged += 1
        return None

    def _query(self, record: dict[str, Any], run: str, last: bool = False) -> RecordedQuery | None:
        found = self._found(record, "s")
        text = (str(record["sql"]), "length" in record) if "sql" in record else found
        missing = self._lacks(record, "s") or self._lacks(record, "k") or self._lacks(record, "o")
        if missing and not last and len(self._waiting) < MAX_WAITING:
            self._waiting.append(record)
            return None
        if text is None:
            self.losses.nameless += 1
            return None
        if "sql" in record:
            self.losses.cut += text[1]
        stack = self._stack_of(record)
        shape = record.get("o")
        orm = self._orm(shape) if isinstance(shape, dict) else self._found(record, "o")
        if orm is not None and not _OF_THIS_ONE.isdisjoint(record):
            orm = replace(
                orm,
                parent=text_of(record.get("pa")),
                origin_sequence=number_of(record.get("os")),
                flush=number_of(record.get("f")),
                check=check_of(record["fx"]) if record.get("fx") else None,
            )
        rows = record.get("n")
        duration = duration_of(record["d"])
        written = moment_of(record["at"])
        driver = str(record.get("dr", ""))
        return RecordedQuery(
            sql=number_question_marks(text[0]) if driver in MARKED else text[0],
            parameters=parameters_of(record),
            duration_ms=duration,
            rows=int(rows) if rows is not None else None,
            # A record is written when its execution has ended; before version 2 its time was that of the start.
            started_at=max(0.0, written - duration / 1000) if type(record["at"]) is int else written,
            process=run,
            sequence=int(record["i"]),
            thread=str(record.get("th", "")),
            task=text_of(record.get("ta")),
            transaction=number_of(record.get("tx")),
            executemany=record.get("m") is not None,
            error=text_of(record.get("e")),
            driver=driver,
            call_site=stack[0] if stack else None,
            stack=stack,
            orm=orm,
            truncated=text[1],
            scope=self._scope(record),
            streamed=bool(record.get("sr")),
        )

    def _lacks(self, record: dict[str, Any], kind: str) -> bool:
        number = record.get(kind)
        return type(number) is int and number not in self._tables[kind]

    def _found(self, record: dict[str, Any], kind: str) -> Any:
        number = record.get(kind)
        return self._tables[kind].get(number) if type(number) is int else None

    def _stack_of(self, record: dict[str, Any]) -> tuple[CallSite, ...]:
        return self._stack(record["st"]) if record.get("st") else self._found(record, "k") or ()

    def _stack(self, value: Any) -> tuple[CallSite, ...]:
        return tuple(self._site(site) for site in value)

    def _site(self, value: Any) -> CallSite:
        file, line, function = value
        key = (file, line, function)
        known = self._sites.get(key)
        if known is None:
            known = CallSite(str(file), int(line), str(function))
            if len(self._sites) < MAX_WAITING:
                self._sites[key] = known
        return known

    def _scope(self, record: dict[str, Any]) -> Scope | None:
        value = record.get("u")
        if value is None:
            return None
        kind, name, number = value
        key = (kind, name, number)
        known = self._scopes.get(key)
        if known is None:
            if len(self._scopes) >= MAX_WAITING:
                self._scopes.clear()
            known = self._scopes[key] = Scope(str(kind), str(name), int(number))
        return known

    def _orm(self, value: dict[str, Any]) -> OrmLoad:
        kind = value["k"]
        if kind not in get_args(LoadKind):
            raise ValueError("unknown kind of load")
        origin = value.get("o")
        cause = value.get("c")
        return OrmLoad(
            kind=kind,
            entity=text_of(value.get("e")),
            path=tuple(str(name) for name in value.get("path") or ()),
            to_many=tuple(bool(many) for many in value.get("many") or ()),
            parent=text_of(value.get("pa")),
            origin=self._site(origin) if origin else None,
            root=text_of(value.get("root")),
            aliased=bool(value.get("al")),
            streamed=bool(value.get("yp")),
            options=tuple(str(option) for option in value.get("op") or ()),
            cause=cause if cause in ("deferred", "expired") else None,
            attributes=tuple(str(name) for name in value.get("at") or ()),
            owner=text_of(value.get("ow")),
            check=check_of(value["fx"]) if value.get("fx") else None,
            renamed=tuple(sorted((str(name), str(key)) for name, key in (value.get("rn") or {}).items())),
            columns=bool(value.get("co")),
        )

    def _event(self, record: dict[str, Any], run: str) -> SessionEvent:
        kind = record["e"]
        if kind not in get_args(EventKind):
            raise ValueError("unknown kind of event")
        stack = self._stack_of(record)
        return SessionEvent(
            kind=kind,
            process=run,
            sequence=int(record["i"]),
            thread=str(record.get("th", "")),
            task=text_of(record.get("ta")),
            transaction=number_of(record.get("tx")),
            call_site=stack[0] if stack else None,
            scope=self._scope(record),
            stack=stack,
        )

    def _take_use(self, record: dict[str, Any], run: str) -> None:
        use = EntityUse(
            process=run,
            origin=self._site(record["o"]),
            entity=str(record["e"]),
            path=tuple(str(name) for name in record["path"]),
            executions=int(record["x"]),
            instances=int(record["n"]),
            touched=int(record["to"]),
            loaded=tuple(str(name) for name in record["lo"]),
            read=tuple(str(name) for name in record["re"]),
            relationships=tuple((str(name), int(loaded), int(read)) for name, loaded, read in record["rel"]),
        )
        key = (run, use.origin, use.entity, use.path)
        known = self._uses.get(key)
        version = int(record["v"])
        if known is None or known[0] <= version:
            self._uses[key] = (version, use)
