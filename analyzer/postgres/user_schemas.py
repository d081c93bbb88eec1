"""Which schemas hold objects of users."""

USER_SCHEMAS = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(temp|toast)'"
"""A condition on pg_namespace, called n."""
