"""Sees: recorded queries become a workload, plans, a schema and proven recommendations."""
