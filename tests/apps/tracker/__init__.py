"""A small Flask application with a sync engine and a template, as people write them, with two faults left in."""
