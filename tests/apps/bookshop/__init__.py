"""A small FastAPI application with an async engine, as people write them, with two faults left in."""
