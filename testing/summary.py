"""What the plugin prints at the end of a run."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from .figures import TestFigures

MOST = 20
"""Lines of a list; the table is whole with -v."""


def print_table(terminal: pytest.TerminalReporter, figures: Sequence[TestFigures], *, whole: bool) -> None:
    """The tests that send queries, most queries first."""
    sending = sorted((one for one in figures if one.queries), key=lambda one: (-one.queries, one.test))
    terminal.section("queries of the tests", sep="-")
    total = sum(one.queries for one in sending)
    terminal.write_line(f"{total} queries in {len(sending)} of {len(figures)} tests")
    if sending:
        terminal.write_line(f"{'queries':>8} {'ms':>10} {'duplicates':>11}  test")
    shown = sending if whole else sending[:MOST]
    for one in shown:
        terminal.write_line(f"{one.queries:>8} {one.milliseconds:>10.1f} {one.duplicates:>11}  {one.test}")
    if len(sending) > len(shown):
        terminal.write_line(f"and {len(sending) - len(shown)} tests with as many or fewer; -v shows all")


def print_budgets(
    terminal: pytest.TerminalReporter,
    mode: str,
    file: str,
    budgets: Mapping[str, int],
    passed: Mapping[str, int],
    stale: Sequence[str],
    over: Sequence[str],
) -> None:
    """What was written, or what the file lacks and holds for nothing. over: tests that have sent more than theirs allow."""
    terminal.section("query budgets", sep="-")
    if mode == "update":
        changed = sum(budgets.get(test) != count for test, count in passed.items())
        terminal.write_line(
            f"{file}: {changed} of {len(passed)} budgets written anew, stale ones removed: {len(stale)}"
        )
        return
    missing = sorted(test for test in passed if test not in budgets)
    lower = sum(budgets.get(test, 0) > count for test, count in passed.items())
    _list(terminal, "tests that send more than their budgets allow", over)
    _list(terminal, "tests without a budget", missing)
    _list(terminal, "budgets of tests that are no more", stale)
    if lower:
        terminal.write_line(f"{lower} tests send fewer queries than their budgets allow")
    if missing or stale or lower:
        terminal.write_line("write them anew with --queryproof-budgets=update")
    elif not over:
        terminal.write_line(f"{file} fits: {len(passed)} tests")


def print_proofs(terminal: pytest.TerminalReporter, proofs: Sequence[str]) -> None:
    """A line for each query that was tried with its option."""
    terminal.section("proofs", sep="-")
    for line in proofs:
        terminal.write_line(line)
    if not proofs:
        terminal.write_line("no test loads row by row")


def missing_lines(crashed: Sequence[str], faults: int) -> Iterator[str]:
    """What the figures lack: read without these lines they would look whole."""
    if crashed:
        yield f"worker {', '.join(sorted(crashed))} crashed: what its last test has sent is not counted"
    if faults:
        yield f"{faults} internal errors of queryproof, which no test has seen: its counts may be too low"


def _list(terminal: pytest.TerminalReporter, title: str, tests: Sequence[str]) -> None:
    if tests:
        terminal.write_line(f"{title}:")
        for test in tests[:MOST]:
            terminal.write_line(f"  {test}")
        if len(tests) > MOST:
            terminal.write_line(f"  and {len(tests) - MOST} more")
