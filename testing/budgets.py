"""Budgets: the number of queries each test may send, in a file that is committed beside the code."""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pytest

from ..analyzer.errors import OutputError, SourceError

VERSION = 1


def read_budgets(path: Path) -> dict[str, int]:
    """Budget by test id. Raises SourceError when the file is missing, damaged or of a newer version."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        version = document["version"]
        budgets = dict(document["tests"]) if version == VERSION else {}
        if not all(type(count) is int and count >= 0 for count in budgets.values()):
            raise ValueError
    except FileNotFoundError:
        raise SourceError(f"there is no {path}: write it with --queryproof-budgets=update and commit it") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        if any(line.startswith("<<<<<<<") for line in text.splitlines()):
            raise SourceError(
                f"{path} holds a merge conflict: take either side, then write it anew with --queryproof-budgets=update"
            ) from None
        raise SourceError(f"{path} is damaged: delete it and write it anew with --queryproof-budgets=update") from None
    if version != VERSION:
        raise SourceError(f"{path} is of version {version}, this queryproof reads {VERSION}: upgrade queryproof")
    return budgets


def write_budgets(path: Path, budgets: Mapping[str, int]) -> None:
    """One test a line, sorted, so that branches merge. Raises OutputError when the file cannot be written."""
    document = {"version": VERSION, "tests": dict(sorted(budgets.items()))}
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def test_id(item: pytest.Item) -> str:
    """The test's own name: under `--dist loadgroup` xdist adds the group to it."""
    marker = item.get_closest_marker("xdist_group")
    groups = (*marker.args, *marker.kwargs.values()) if marker is not None else ()
    return item.nodeid.removesuffix(f"@{groups[0]}") if groups else item.nodeid


def stale_budgets(budgets: Iterable[str], collected: Collection[str], config: pytest.Config) -> list[str]:
    """Tests with a budget that are there no more: their file is gone, or it was collected whole and does not hold them."""
    partly = any("::" in argument for argument in config.args) or config.getoption("lf", False)
    files = frozenset() if partly else {test.partition("::")[0] for test in collected}
    return sorted(
        test
        for test in budgets
        if test not in collected
        and ((file := test.partition("::")[0]) in files or not (config.rootpath / file).exists())
    )
