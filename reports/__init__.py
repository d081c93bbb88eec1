"""Shows: every renderer takes a Report and nothing else."""
