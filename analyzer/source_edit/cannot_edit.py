"""Why there is no edit of a source file."""

from ..errors import QueryproofError


class CannotEdit(QueryproofError):
    """The edit cannot be made with certainty; the message is the reason, fit to stand after `no diff:`."""


class AlreadyThere(CannotEdit):
    """The statement carries the option already."""
