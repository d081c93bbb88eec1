"""Recording inside the application's process: standard library and SQLAlchemy only."""
