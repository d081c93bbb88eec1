"""Engine, sessions, and the comparison of models with the database."""
