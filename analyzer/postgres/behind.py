"""The relations that a statement reads or writes, with all that these are made of."""

from ..sql.syntax import Syntax

BEHIND = """
WITH RECURSIVE behind(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relname = ANY(%s::name[]) OR n.nspname || '.' || c.relname = ANY(%s::text[]))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION
  SELECT next.oid FROM behind b CROSS JOIN LATERAL (
    SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_class = b.oid AND d.refclassid = 'pg_class'::regclass
    UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = b.oid
    UNION ALL SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = b.oid
  ) AS next(oid)
), parts(classid, objid) AS (
  SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN behind b ON b.oid = r.ev_class
  UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN behind b ON b.oid = p.polrelid
  UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN behind b ON b.oid = c.conrelid
  UNION ALL SELECT 'pg_class'::regclass, b.oid FROM behind b
  UNION ALL SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN behind b ON b.oid = a.adrelid
)
"""
"""Begins a query on `behind`, the relations, and `parts`, their rules, policies, constraints, indexes and defaults. Its two
parameters are those of `relations`."""


def relations(syntax: Syntax) -> tuple[list[str], list[str]]:
    """The relations that the statement names: those without a schema, and those with one."""
    return sorted(one for one in syntax.relations if "." not in one), sorted(
        one for one in syntax.relations if "." in one
    )
