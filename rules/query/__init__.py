"""Rules about the text of a query."""
