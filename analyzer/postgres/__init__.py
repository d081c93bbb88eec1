"""PostgreSQL: connections, the embedded server, the catalog, EXPLAIN and its plans."""
