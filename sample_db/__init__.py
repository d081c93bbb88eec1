"""A real application with labelled faults: for the demo, the docs and the tests."""
