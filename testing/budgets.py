"""Budgets: the number of queries each test may send, in a file that is committed beside the code."""

import json
from collections.abc import Mapping
from pathlib import Path

from ..analyzer.errors import SourceError

VERSION = 1
FILE = "queryproof-budgets.json"


def read_budgets(path: Path) -> dict[str, int]:
    """Budget by test id. Raises SourceError when the file is missing, damaged or of a newer version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["version"]
        budgets = {str(test): int(count) for test, count in document["tests"].items()}
    except FileNotFoundError:
        raise SourceError(f"there is no {path}: write it with --queryproof-budgets=update and commit it") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{path} is damaged: write it anew with --queryproof-budgets=update") from None
    if version != VERSION:
        raise SourceError(f"{path} is of version {version}, this queryproof reads {VERSION}: upgrade queryproof")
    return budgets


def write_budgets(path: Path, counts: Mapping[str, int]) -> None:
    """Set the budgets of the tests that ran; those of other tests stay. One test a line, sorted, so that branches merge."""
    budgets = (read_budgets(path) if path.exists() else {}) | dict(counts)
    document = {"version": VERSION, "tests": dict(sorted(budgets.items()))}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
