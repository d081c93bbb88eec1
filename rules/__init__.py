"""Judges: one rule is one file; adding a rule touches nothing else."""
