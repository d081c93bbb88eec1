"""Plans shown on their own: as a tree in a terminal, as JSON, and two side by side."""
