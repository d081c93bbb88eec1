"""Which functions a statement would make the server run, as far as catalogue and source texts tell.

EXPLAIN ANALYZE runs everything in a statement, and plain EXPLAIN still runs what is marked IMMUTABLE or STABLE, to
estimate with its result. READ ONLY, ROLLBACK and timeouts hold most of what a function can do; this finds the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from ..sql.syntax import Syntax
from ..sql.tokens import significant
from .behind import BEHIND, relations
from .conversation import Conversation
from .hidden_functions import TYPED, hidden_functions

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

_WRITING = frozenset("insert update delete merge truncate create drop alter grant revoke".split())
_UNKNOWABLE = frozenset("execute copy do call".split())
MAY_CHANGE = "may change something"
_KNOWN_LANGUAGES = frozenset(("internal", "c", "sql", "plpgsql"))

_FUNCTION = """
SELECT p.oid, n.nspname::text, p.proname::text, p.provolatile::text, l.lanname::text,
       {body}, p.oid >= 16384, p.prokind::text,
       ARRAY(SELECT f::oid FROM pg_aggregate a, unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
             a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) f WHERE a.aggfnoid = p.oid AND f <> 0)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
"""
_OF_ROW = """
 WHERE p.proname = ANY(%s::name[]) AND p.pronargs = 1 AND p.oid >= 16384
   AND EXISTS (SELECT FROM pg_type t WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'p', 'd'))
"""
_OPERATORS = "SELECT o.oprcode::oid FROM pg_operator o WHERE o.oprname = ANY(%s::name[]) AND o.oprcode >= 16384::oid"
_BEHIND_FUNCTIONS = (
    BEHIND
    + """
SELECT d.refobjid FROM parts p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384::oid AND p.classid = ANY(%s::regclass[])
UNION
SELECT o.oprcode::oid FROM parts p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
JOIN pg_operator o ON o.oid = d.refobjid WHERE d.refclassid = 'pg_operator'::regclass AND o.oprcode >= 16384::oid
  AND p.classid = ANY(%s::regclass[])
"""
)
_READ = ["pg_rewrite", "pg_policy"]
_PLANNED = [*_READ, "pg_constraint", "pg_class"]
"""Planning folds the expressions of CHECK constraints and of indexes too."""
_WRITTEN = [*_READ, "pg_constraint", "pg_class", "pg_attrdef"]
_TRIGGERS = """
SELECT t.tgname::text, t.tgfoid::oid, t.tgrelid::regclass::text FROM pg_trigger t JOIN behind b ON b.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1, 3
"""
_SEQUENCES = """
SELECT DISTINCT s.oid::regclass::text FROM pg_class s JOIN pg_depend d ON d.classid = 'pg_class'::regclass
    AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass JOIN behind b ON b.oid = d.refobjid
WHERE s.relkind = 'S' ORDER BY 1
"""
_POLICIES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN behind b ON b.oid = c.oid
WHERE c.relrowsecurity AND (%s OR row_security_active(c.oid)) ORDER BY 1
"""
_FOREIGN = (
    "SELECT c.relname::text FROM pg_class c JOIN behind b ON b.oid = c.oid WHERE c.relkind = 'f' ORDER BY 1 LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the catalogue. parts: oids of an aggregate's own functions."""

    oid: int
    name: str
    bare: str
    volatility: str
    language: str
    body: str
    users: bool
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remains:
    """What a rolled-back write leaves behind or sets off: names of sequences and triggers."""

    sequences: tuple[str, ...]
    triggers: tuple[str, ...]


class SideEffects:
    """Answers over a conversation; what was asked once is remembered."""

    def __init__(self, conversation: Conversation, search_path: str) -> None:
        self._conversation = conversation
        self._search_path = search_path
        self._judged: dict[tuple[int, frozenset[str], bool], str] = {}

    def when_planned(self, syntax: Syntax) -> str:
        """Why not even plain EXPLAIN may be asked for: a function that planning runs does what nothing takes back."""

        def judge(cursor: Cursor) -> str:
            reached = [*self._named(cursor, syntax), *self._behind(cursor, syntax, _PLANNED)]
            run = [one for one in reached if one.volatility != "v" and (one.users or one.bare in ASKING)]
            # A literal of an array or a row is checked as it is read, however volatile the domains in it are.
            run += self._hidden(cursor, syntax, reached, everything=_bodies(run))
            return self._first(cursor, run, HELD, writes=True)

        return self._conversation.ask_catalogue(judge)

    def when_run(self, syntax: Syntax, functions: Iterable[str], operators: Iterable[str], *, writes: bool) -> str:
        """Why the statement may not be run: it calls something that may change something. functions, operators: names in
        its plan, where views and policies are unfolded. writes: it may write, as it will be rolled back."""

        def judge(cursor: Cursor) -> str:
            cursor.execute(BEHIND + _FOREIGN, relations(syntax))
            if row := cursor.fetchone():
                return f"it concerns the foreign table {row[0]}, and another server would run it"
            reached = [
                *self._named(cursor, syntax, functions, operators),
                *self._behind(cursor, syntax, _WRITTEN if writes else _READ),
            ]
            if writes:
                cursor.execute(BEHIND + _TRIGGERS, relations(syntax))
                reached += self._by_oid(cursor, [row[1] for row in cursor.fetchall()])
            allowed = HELD if writes else HARMLESS
            if reason := self._first(cursor, reached, allowed, writes=writes):
                return reason
            # A write reaches further than its statement: defaults, and foreign keys that cascade into other tables.
            hidden = self._hidden(cursor, syntax, reached, functions, everything=writes or _bodies(reached))
            reason = self._first(cursor, hidden, allowed, writes=writes)
            hint = "; mark it STABLE or IMMUTABLE if it only reads" if reason.endswith(MAY_CHANGE) else ""
            return f"a cast or a domain may take part: {reason}{hint}" if reason else ""

        return self._conversation.ask_catalogue(judge)

    def remains(self, syntax: Syntax) -> Remains:
        """What stays when a write is rolled back."""

        def read(cursor: Cursor) -> Remains:
            cursor.execute(BEHIND + _SEQUENCES, relations(syntax))
            sequences = tuple(row[0] for row in cursor.fetchall())
            cursor.execute(BEHIND + _TRIGGERS, relations(syntax))
            return Remains(sequences, tuple(f"{row[0]} on {row[2]}" for row in cursor.fetchall()))

        return self._conversation.ask_catalogue(read, self._search_path)

    def policies(self, syntax: Syntax, *, always: bool) -> tuple[str, ...]:
        """Tables among those concerned whose rows are filtered for this role. always: for every role but the owner."""

        def read(cursor: Cursor) -> tuple[str, ...]:
            cursor.execute(BEHIND + _POLICIES, (*relations(syntax), always))
            return tuple(row[0] for row in cursor.fetchall())

        return self._conversation.ask_catalogue(read, self._search_path)

    def _named(
        self, cursor: Cursor, syntax: Syntax, functions: Iterable[str] = (), operators: Iterable[str] = ()
    ) -> list[Function]:
        found = self._by_name(cursor, {*syntax.functions, *functions})
        cursor.execute(self._select() + _OF_ROW, (sorted(syntax.attributes),))
        found += _functions(cursor)
        cursor.execute(_OPERATORS, (sorted({*syntax.operators, *operators}),))
        return found + self._by_oid(cursor, [row[0] for row in cursor.fetchall()])

    def _behind(self, cursor: Cursor, syntax: Syntax, kinds: list[str]) -> list[Function]:
        cursor.execute(_BEHIND_FUNCTIONS, (*relations(syntax), kinds, kinds))
        return self._by_oid(cursor, [row[0] for row in cursor.fetchall()])

    def _hidden(
        self,
        cursor: Cursor,
        syntax: Syntax,
        reached: list[Function],
        functions: Iterable[str] = (),
        *,
        everything: bool,
    ) -> list[Function]:
        """Functions that the grammar cannot see: of casts, which may be implicit, and of domains' checks. everything: those of
        the whole database, not only of what the statement and the functions reached name."""
        users = [one for one in reached if one.users]
        names = {one.rpartition(".")[2] for one in (*syntax.functions, *functions)}
        if everything or names & TYPED:
            return self._by_oid(cursor, hidden_functions(cursor))
        names |= syntax.types | syntax.attributes
        return self._by_oid(cursor, hidden_functions(cursor, relations(syntax), names, [one.oid for one in users]))

    def _first(self, cursor: Cursor, reached: list[Function], allowed: frozenset[str], *, writes: bool) -> str:
        for function in sorted(reached, key=lambda one: (one.name, one.oid)):
            if reason := self._judge(cursor, function, allowed, writes, frozenset()):
                return f"it calls {function.name}, which {reason}"
        return ""

    def _judge(
        self, cursor: Cursor, function: Function, allowed: frozenset[str], writes: bool, above: frozenset[int]
    ) -> str:
        """Why a function is not harmless, or nothing. Functions that call each other are gone through once."""
        key = (function.oid, allowed, writes)
        if key in self._judged or function.oid in above:
            return self._judged.get(key, "")
        reason = self._why(cursor, function, allowed, writes, above | {function.oid})
        self._judged[key] = reason
        return reason

    def _why(
        self, cursor: Cursor, function: Function, allowed: frozenset[str], writes: bool, above: frozenset[int]
    ) -> str:
        if function.bare in ASKING:
            return "runs other queries"
        if not function.users:
            return MAY_CHANGE if function.volatility == "v" and function.bare not in allowed else ""
        if function.bare in HARMLESS and function.language == "c":
            return ""
        if function.volatility == "v" and (not writes or function.language not in ("sql", "plpgsql")):
            return MAY_CHANGE
        if function.language not in _KNOWN_LANGUAGES:
            return f"is written in {function.language} and may do anything"
        for part in self._by_oid(cursor, function.parts):
            if reason := self._judge(cursor, part, allowed, writes, above):
                return reason
        if function.language not in ("sql", "plpgsql"):
            return ""
        tokens = significant(function.body)
        words = {
            token.word
            for token, following in zip(tokens, [*tokens[1:], None], strict=True)
            # ON CONFLICT DO NOTHING or UPDATE is no DO block.
            if not (token.word == "do" and following is not None and following.word in ("nothing", "update"))
        }
        if unknowable := words & _UNKNOWABLE:
            return f"holds {min(unknowable).upper()} and may do anything"
        if not writes and (writing := words & _WRITING):
            return f"holds {min(writing).upper()}"
        # Every word may be a call: a name that is none finds no function, or a harmless one.
        called = {token.word or token.text.strip('"') for token in tokens if token.kind in ("word", "quoted")}
        for inner in self._by_name(cursor, called):
            if (inner.users or inner.volatility == "v" or inner.bare in ASKING) and (
                reason := self._judge(cursor, inner, allowed, writes, above)
            ):
                return f"calls {inner.name}, which {reason}" if inner.users else f"calls {inner.name}"
        return ""

    def _select(self) -> str:
        body = "p.prosrc"
        if self._conversation.connection.server_version >= 140000:
            body = "COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc)"
        return _FUNCTION.format(body=body)

    def _by_name(self, cursor: Cursor, names: Iterable[str]) -> list[Function]:
        wanted = sorted({name.rpartition(".")[2] for name in names})
        cursor.execute(self._select() + " WHERE p.proname = ANY(%s::name[])", (wanted,))
        return _functions(cursor)

    def _by_oid(self, cursor: Cursor, oids: Iterable[int]) -> list[Function]:
        wanted = sorted(set(oids))
        if not wanted:
            return []
        cursor.execute(self._select() + " WHERE p.oid = ANY(%s::oid[])", (wanted,))
        return _functions(cursor)


def _bodies(functions: Iterable[Function]) -> bool:
    """Whether one of them has a body of its own, or is made of others, which may name any type."""
    return any(one.users and (one.language not in ("internal", "c") or one.parts) for one in functions)


def _functions(cursor: Cursor) -> list[Function]:
    return [
        Function(oid, f"{schema}.{name}", name, volatility, language, body or "", users, tuple(parts))
        for oid, schema, name, volatility, language, body, users, _, parts in cursor.fetchall()
    ]
