"""Which functions a statement would make the server run, as far as catalogue and source texts tell.

EXPLAIN ANALYZE runs everything in a statement, and plain EXPLAIN still runs what is marked IMMUTABLE or STABLE, to
estimate with its result. READ ONLY, ROLLBACK and timeouts hold most of what a function can do; this finds the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from ..sql.syntax import Syntax
from .behind import BEHIND, BEHIND_WRITTEN, TRIGGERS, relations
from .connect import OURS
from .conversation import Conversation
from .function_body import function_body
from .known_functions import Function, functions_by_oid, functions_named
from .reach import PLANNED, READ, WRITTEN, Reach, Reached

HARMLESS = frozenset(
    "random setseed clock_timestamp timeofday gen_random_uuid uuidv7 uuidv4 uuid_generate_v4 random_normal "
    "statement_timestamp pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_database_size "
    "pg_tablespace_size pg_column_size currval lastval pg_stat_get_snapshot_timestamp inet_client_addr txid_current "
    "pg_current_xact_id pg_is_in_recovery".split()
)
"""VOLATILE functions of PostgreSQL that change nothing, or nothing that anyone notices."""
HELD = HARMLESS | frozenset(
    "nextval setval pg_sleep pg_sleep_for pg_sleep_until set_config pg_notify pg_advisory_lock pg_advisory_lock_shared "
    "pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared "
    "pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_advisory_unlock pg_advisory_unlock_shared "
    "pg_advisory_unlock_all lo_creat lo_create lo_unlink lo_put lo_from_bytea lowrite lo_open lo_close loread".split()
)
"""VOLATILE functions whose effects READ ONLY, ROLLBACK, the timeouts or our unlocking take back."""

ASKING = frozenset(
    "table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml "
    "database_to_xml_and_xmlschema query_to_xml query_to_xml_and_xmlschema cursor_to_xml crosstab crosstab2 crosstab3 "
    "crosstab4 connectby xpath_table".split()
)
"""Functions that run other queries: the text they are given, or every view there is. Most are marked STABLE, so that even
plain EXPLAIN runs them, and what the queries call with them."""

MOST_ANSWERS = 1000
"""Kept in memory: a statement that is measured asks the same again and again, and that soon."""
MAY_CHANGE = "may change something"
AS_MARKED = f"is VOLATILE and {MAY_CHANGE}"
"""Of a function whose author can mark it otherwise, unlike PostgreSQL's own and those written in C."""
_KNOWN_LANGUAGES = frozenset(("internal", "c", "sql", "plpgsql"))

_SEQUENCES = """
SELECT DISTINCT s.oid::regclass::text FROM pg_class s JOIN pg_depend d ON d.classid = 'pg_class'::regclass
    AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass JOIN behind b ON b.oid = d.refobjid
WHERE s.relkind = 'S' ORDER BY 1
"""
_POLICIES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN behind b ON b.oid = c.oid
WHERE c.relrowsecurity AND (%s OR row_security_active(c.oid)) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Remains:
    """What a rolled-back write leaves behind or sets off: names of sequences and triggers."""

    sequences: tuple[str, ...]
    triggers: tuple[str, ...]


class SideEffects:
    """Answers over a conversation. What was asked once is remembered for as long as no transaction can have changed it."""

    def __init__(self, conversation: Conversation, search_path: str) -> None:
        self._conversation = conversation
        self._search_path = search_path
        self._judged: dict[tuple[int, frozenset[str], bool], str] = {}
        self._answers: dict[tuple[object, ...], str] = {}
        self._known: tuple[object, ...] = ()

    def when_planned(self, syntax: Syntax) -> str:
        """Why not even plain EXPLAIN may be asked for: a function that planning runs does what nothing takes back."""
        schemas = self._schemas_now()

        def judge(cursor: Cursor) -> str:
            reach = Reach(cursor, syntax, schemas)
            reached = [*reach.named(), *reach.behind(PLANNED)]
            run = [one for one in reached if one.function.volatility != "v" and _runs(one.function)]
            # A literal of an array or a row is checked as it is read, however volatile the domains in it are.
            run += reach.hidden(reached)
            run += reach.within(run, PLANNED)
            return self._first(cursor, run, HELD, writes=True) or _abroad(reach)

        return self._answer(("planned", *_names(syntax)), judge)

    def when_run(self, syntax: Syntax, functions: Iterable[str], operators: Iterable[str], *, writes: bool) -> str:
        """Why the statement may not be run: it calls something that may change something. functions, operators: names in
        its plan, where views and policies are unfolded. writes: it may write, as it will be rolled back."""
        schemas = self._schemas_now()
        called, operating = frozenset(functions), frozenset(operators)

        def judge(cursor: Cursor) -> str:
            reach = Reach(cursor, syntax, schemas, writes=writes)
            if foreign := reach.foreign():
                return f"it concerns the foreign table {foreign}, and another server would run it"
            kinds = WRITTEN if writes else READ
            reached = [*reach.named(called, operating), *reach.behind(kinds)]
            reached += reach.hidden(reached, called)
            reached += reach.within(reached, kinds)
            reason = self._first(cursor, reached, HELD if writes else HARMLESS, writes=writes)
            hint = "; mark it STABLE or IMMUTABLE if it only reads" if reason.endswith(AS_MARKED) else ""
            return f"{reason}{hint}" or _abroad(reach)

        return self._answer(("run", writes, called, operating, *_names(syntax)), judge)

    def remains(self, syntax: Syntax) -> Remains:
        """What stays when a write is rolled back."""

        def read(cursor: Cursor) -> Remains:
            concerned = relations(syntax, _schemas(cursor))
            cursor.execute(BEHIND_WRITTEN + _SEQUENCES, concerned)
            sequences = tuple(row[0] for row in cursor.fetchall())
            cursor.execute(BEHIND_WRITTEN + TRIGGERS, concerned)
            return Remains(sequences, tuple(f"{name} on {table}" for _, name, table in cursor.fetchall()))

        return self._conversation.ask_catalogue(read, self._search_path)

    def policies(self, syntax: Syntax, *, always: bool) -> tuple[str, ...]:
        """Tables among those concerned whose rows are filtered for this role. always: for every role but the owner."""

        def read(cursor: Cursor) -> tuple[str, ...]:
            cursor.execute(BEHIND + _POLICIES, (*relations(syntax, _schemas(cursor)), always))
            return tuple(row[0] for row in cursor.fetchall())

        return self._conversation.ask_catalogue(read, self._search_path)

    def _schemas_now(self) -> list[str]:
        """The schemas that names are looked for in. Forgets all answers when anything can have changed since they were given."""

        def read(cursor: Cursor) -> tuple[list[str], str]:
            # Who changes the catalogue needs a transaction of his own, and then no snapshot is as before.
            cursor.execute(f"SELECT {OURS} pg_current_snapshot()::text")
            ((snapshot,),) = cursor.fetchall()
            return _schemas(cursor), str(snapshot)

        schemas, snapshot = self._conversation.ask_catalogue(read, self._search_path)
        known = (self._conversation.connection, snapshot, schemas)
        if known != self._known or len(self._answers) > MOST_ANSWERS:
            self._answers.clear()
            self._judged.clear()
            self._known = known
        return schemas

    def _answer(self, question: tuple[object, ...], judge: Callable[[Cursor], str]) -> str:
        if question not in self._answers:
            self._answers[question] = self._conversation.ask_catalogue(judge)
        return self._answers[question]

    def _first(self, cursor: Cursor, reached: list[Reached], allowed: frozenset[str], *, writes: bool) -> str:
        """What is reached by name comes first: the reason shall be one that the statement's author knows."""
        for place in sorted(
            reached, key=lambda one: (one.how != "it calls", one.how, one.function.name, one.function.oid)
        ):
            seen: set[int] = set()
            if reason := self._judge(cursor, place.function, allowed, writes, seen):
                return f"{place.how} {place.function.name}, which {reason}"
            # Only now: a function that calls one still being judged is no better than that one turns out.
            self._judged |= {(oid, allowed, writes): "" for oid in seen}
        return ""

    def _judge(self, cursor: Cursor, function: Function, allowed: frozenset[str], writes: bool, seen: set[int]) -> str:
        """Why a function is not harmless, or nothing. seen: functions that are gone through already, as they may call each
        other; this one is added."""
        key = (function.oid, allowed, writes)
        if key in self._judged or function.oid in seen:
            return self._judged.get(key, "")
        seen.add(function.oid)
        if reason := self._why(cursor, function, allowed, writes, seen):
            self._judged[key] = reason
        return reason

    def _why(self, cursor: Cursor, function: Function, allowed: frozenset[str], writes: bool, seen: set[int]) -> str:
        if function.bare in ASKING:
            return "runs other queries"
        if not function.users:
            return MAY_CHANGE if function.volatility == "v" and function.bare not in allowed else ""
        if function.bare in HARMLESS and function.language == "c":
            return ""
        if function.volatility == "v" and (not writes or function.language not in ("sql", "plpgsql")):
            return MAY_CHANGE if function.language in ("c", "internal") else AS_MARKED
        if function.language not in _KNOWN_LANGUAGES:
            return f"is written in {function.language} and may do anything"
        body = function_body(function)
        if body.unknowable:
            return body.unknowable
        if not writes and body.writing:
            return f"holds {body.writing.upper()}"
        # Every word may be a call: a name that is none finds no function, or a harmless one.
        for inner in (*functions_by_oid(cursor, function.parts), *functions_named(cursor, body.words)):
            if (inner.users or inner.volatility == "v" or inner.bare in ASKING) and (
                reason := self._judge(cursor, inner, allowed, writes, seen)
            ):
                return f"calls {inner.name}, which {reason}" if inner.users else f"calls {inner.name}"
        return ""


def _names(syntax: Syntax) -> tuple[frozenset[str], ...]:
    """All of the statement that the answer depends on."""
    return tuple(
        map(frozenset, (syntax.functions, syntax.operators, syntax.relations, syntax.types, syntax.attributes))
    )


def _schemas(cursor: Cursor) -> list[str]:
    """In which PostgreSQL looks for the statement's names, its own among them; asked each time, as one may be made."""
    cursor.execute("SELECT current_schemas(true)::text[]")
    ((schemas,),) = cursor.fetchall()
    return list(schemas)


def _abroad(reach: Reach) -> str:
    told = (
        f"a function that it reaches may read the foreign table {reach.read_abroad}, and another server would run that"
    )
    return told if reach.read_abroad else ""


def _runs(function: Function) -> bool:
    return function.users or function.bare in ASKING
