"""Which functions a statement reaches, and by what way: by name, and through views, policies, triggers, casts and domains."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from ..sql.syntax import Syntax
from .behind import BEHIND, BEHIND_WRITTEN, TRIGGERS, Relations, relations
from .function_body import function_body
from .hidden_functions import TYPED, hidden_functions
from .known_functions import (
    Function,
    functions_by_oid,
    functions_called,
    functions_named,
    functions_of_operators,
    functions_of_rows,
)

_PARTS = """
SELECT r.oid, min(r.what) FROM (
  SELECT d.refobjid AS oid, pg_describe_object(p.classid, p.objid, 0) AS what
  FROM parts p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384::oid AND p.classid = ANY(%s::regclass[])
  UNION
  SELECT o.oprcode::oid, pg_describe_object(p.classid, p.objid, 0)
  FROM parts p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
  JOIN pg_operator o ON o.oid = d.refobjid WHERE d.refclassid = 'pg_operator'::regclass AND o.oprcode >= 16384::oid
    AND p.classid = ANY(%s::regclass[])
) r GROUP BY r.oid
"""
READ = ("pg_rewrite", "pg_policy")
PLANNED = (*READ, "pg_constraint", "pg_class", "pg_statistic_ext")
"""Planning folds the expressions of CHECK constraints, of indexes and of extended statistics too."""
WRITTEN = (*READ, "pg_constraint", "pg_class", "pg_attrdef")
_FOREIGN = (
    "SELECT c.relname::text FROM pg_class c JOIN behind b ON b.oid = c.oid WHERE c.relkind = 'f' ORDER BY 1 LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Reached:
    """how: `it calls`, or what of the database calls it."""

    function: Function
    how: str = "it calls"


class Reach:
    """Looks around one statement, over one cursor. schemas: of the search_path, in which its names are looked for. writes: what
    it writes counts too."""

    def __init__(self, cursor: Cursor, syntax: Syntax, schemas: list[str], *, writes: bool = False) -> None:
        self._cursor = cursor
        self._syntax = syntax
        self._schemas = schemas
        self._writes = writes
        self._relations = relations(syntax, schemas)
        self.read_abroad = ""
        """A foreign table that `within` came across."""

    def foreign(self) -> str:
        """A foreign table that it concerns; empty when there is none."""
        return self._foreign(self._relations)

    def named(self, functions: Iterable[str] = (), operators: Iterable[str] = ()) -> list[Reached]:
        """By calls and operators in the statement, and in its plan."""
        cursor, syntax = self._cursor, self._syntax
        found = functions_called(cursor, {*syntax.functions, *functions}, self._schemas)
        found += functions_of_rows(cursor, syntax.attributes)
        # CASE, USING and IN compare without being told by which operator.
        found += functions_of_operators(cursor, {"=", *syntax.operators, *operators}, self._schemas)
        return [Reached(one) for one in found]

    def behind(self, kinds: Collection[str]) -> list[Reached]:
        """By rules, policies, constraints, indexes and defaults of what it concerns, of these catalogues."""
        return self._behind(self._relations, kinds, "")

    def hidden(self, reached: Iterable[Reached], functions: Iterable[str] = ()) -> list[Reached]:
        """By casts and domains that its names lead to, and those of the functions reached. functions: names in its plan."""
        named = {one.rpartition(".")[2] for one in (*self._syntax.functions, *functions)}
        oids = [one.function.oid for one in reached if one.function.users]
        known = named | self._syntax.types | self._syntax.attributes
        return self._hidden(None if named & TYPED else self._relations, known, oids, "")

    def within(self, reached: Iterable[Reached], kinds: Collection[str]) -> list[Reached]:
        """By the bodies of these functions, and of all that they reach in turn, in other ways than by calling it."""
        start = [one.function for one in reached]
        found, moves = self._walk(start, kinds, self._schemas)
        return list((self._walk(start, kinds, None)[0] if moves else found).values())

    def _walk(
        self, waiting: list[Function], kinds: Collection[str], schemas: list[str] | None
    ) -> tuple[dict[int, Reached], bool]:
        """By oid, what the bodies reach; whether one of them may look for names elsewhere than in the schemas."""
        cursor = self._cursor
        found: dict[int, Reached] = {}
        seen: set[int] = set()
        words: set[str] = set()
        dotted: set[str] = set()
        moves = casts = False
        while fresh := [one for one in waiting if one.users and one.oid not in seen]:
            seen |= {one.oid for one in fresh}
            bodies = [function_body(one) for one in fresh]
            new = {word for body in bodies for word in body.words} - words
            words |= new
            dotted |= {name for body in bodies for name in body.dotted}
            moves |= any(body.moves for body in bodies)
            casts |= any(body.casts for body in bodies)
            waiting = functions_by_oid(cursor, {oid for one in fresh for oid in one.parts})
            if any(one.opaque for one in fresh):
                waiting += functions_named(cursor, new)
                operators = {"=", *(word for body in bodies for word in body.operators)}
                further = [Reached(one, _FROM_BODY) for one in functions_of_operators(cursor, operators)]
                concerned: Relations = (sorted(words), schemas, sorted(dotted))
                self.read_abroad = self.read_abroad or self._foreign(concerned)
                further += self._behind(concerned, kinds, _PREFIX)
                typed = None if words & TYPED else concerned
                further += self._hidden(typed, words, sorted(seen), _PREFIX, casts=casts)
                for one in further:
                    found.setdefault(one.function.oid, one)
                waiting += [one.function for one in further]
        return found, moves

    def _foreign(self, concerned: Relations) -> str:
        self._cursor.execute((BEHIND_WRITTEN if self._writes else BEHIND) + _FOREIGN, concerned)
        row = self._cursor.fetchone()
        return str(row[0]) if row is not None else ""

    def _behind(self, concerned: Relations, kinds: Collection[str], prefix: str) -> list[Reached]:
        begin = BEHIND_WRITTEN if self._writes else BEHIND
        self._cursor.execute(begin + _PARTS, (*concerned, list(kinds), list(kinds)))
        told = dict(self._cursor.fetchall())
        if self._writes:
            self._cursor.execute(begin + TRIGGERS, concerned)
            told |= {oid: f"trigger {name} on {table}" for oid, name, table in reversed(self._cursor.fetchall())}
        calls = ", which calls" if prefix else " calls"
        return self._reached({oid: f"{prefix}{_thing(what)}{calls}" for oid, what in told.items()})

    def _hidden(
        self,
        concerned: Relations | None,
        names: Collection[str],
        oids: Collection[int],
        prefix: str,
        *,
        casts: bool = True,
    ) -> list[Reached]:
        assigns = self._writes or bool(prefix)
        told = hidden_functions(self._cursor, concerned, names, oids, writes=self._writes, assigns=assigns, casts=casts)
        perhaps = f"{prefix}{'it may use ' if not prefix else ''}"
        return self._reached({oid: f"{perhaps}{what}, which calls" for oid, what in told.items()})

    def _reached(self, told: dict[int, str]) -> list[Reached]:
        return [Reached(one, told[one.oid]) for one in functions_by_oid(self._cursor, told)]


_PREFIX = "a function that it reaches may use "
_FROM_BODY = "a function that it reaches may call"


def _thing(what: str) -> str:
    """PostgreSQL's description of a part of the database, as part of a sentence."""
    return what.removeprefix("rule _RETURN on ")
