"""One line of ours on standard error."""

import sys


def warn(message: str) -> None:
    """One line on standard error; the application's output is not ours."""
    try:
        sys.stderr.write(f"queryproof: {message}\n")
    except (OSError, ValueError, AttributeError):
        # Standard error may be closed or gone at shutdown: there is nowhere left to say it.
        return
