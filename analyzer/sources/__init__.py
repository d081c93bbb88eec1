"""Where a workload comes from: journals, pg_stat_statements, .sql files."""
