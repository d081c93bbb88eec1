"""Rules about a plan."""
