"""Real plans of PostgreSQL 13–18, with what is to be found in each."""
