"""Generated documentation and the checks of the house."""
