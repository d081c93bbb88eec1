"""Edits of the user's own source: finds the statement that is executed at a line, and adds a loader option to it."""
