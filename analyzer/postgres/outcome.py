"""The ways in which explaining one statement can fail that the explainer answers differently."""

from ..errors import StatementError


class TimedOut(StatementError):
    """The statement did not end within its time."""


class Locked(StatementError):
    """A table is locked, and we do not wait for it."""


class RecoveryConflict(StatementError):
    """A standby cancelled the statement because it stood in the way of the changes it applies."""


class ConnectionLost(StatementError):
    """The server or the watchdog ended the connection."""
