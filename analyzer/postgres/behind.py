"""The relations that a statement reads or writes, with all that these are made of."""

from ..sql.syntax import Syntax

_BEHIND = """
WITH RECURSIVE behind(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relname = ANY(%s::name[]) AND n.nspname = ANY(COALESCE(%s::name[], ARRAY[n.nspname]))
         OR n.nspname || '.' || c.relname = ANY(%s::text[]))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION
  SELECT next.oid FROM behind b CROSS JOIN LATERAL (
    SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_class = b.oid AND d.refclassid = 'pg_class'::regclass
    UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = b.oid
    UNION ALL SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = b.oid{further}
  ) AS next(oid)
), parts(classid, objid) AS (
  SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN behind b ON b.oid = r.ev_class
  UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN behind b ON b.oid = p.polrelid
  UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN behind b ON b.oid = c.conrelid
  UNION ALL SELECT 'pg_class'::regclass, b.oid FROM behind b
  UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s JOIN behind b ON b.oid = s.stxrelid
  UNION ALL SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN behind b ON b.oid = a.adrelid
)
"""
_CASCADES = """
    UNION ALL SELECT k.conrelid FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid = b.oid
      AND (k.confupdtype IN ('c', 'n', 'd') OR k.confdeltype IN ('c', 'n', 'd'))"""
BEHIND = _BEHIND.replace("{further}", "")
"""Begins a query on `behind`, the relations, and `parts`, their rules, policies, constraints, statistics, indexes and defaults.
Its three parameters are a `Relations`."""
BEHIND_WRITTEN = _BEHIND.replace("{further}", _CASCADES)
"""The same of relations that are written: with those that foreign keys change along."""


TRIGGERS = """
SELECT t.tgfoid::oid, t.tgname::text, t.tgrelid::regclass::text FROM pg_trigger t JOIN behind b ON b.oid = t.tgrelid
WHERE t.tgfoid >= 16384::oid AND t.tgenabled <> 'D' ORDER BY 2, 3
"""
"""Goes on with the triggers that call functions of users: (function, name, table). Those that PostgreSQL makes itself for
partitions call the same functions."""
Relations = tuple[list[str], list[str] | None, list[str]]
"""Names without a schema, the schemas in which these are looked for (None: all), and names with their schema."""


def relations(syntax: Syntax, schemas: list[str]) -> Relations:
    """The relations that the statement names. schemas: of the search_path, a temporary one among them."""
    names = {one.removeprefix("pg_temp.") for one in syntax.relations}
    # A name may hold a dot itself.
    return sorted(names), schemas, sorted(one for one in names if "." in one)
