"""What the plugin prints at the end of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 20


@dataclass(frozen=True, slots=True)
class TestFigures:
    """One test's queries, the milliseconds they took, and how many repeated an earlier one with its values."""

    __test__ = False

    queries: int
    milliseconds: float
    duplicates: int
    passed: bool


def print_summary(
    terminal: Any, figures: Mapping[str, TestFigures], unbudgeted: Sequence[str], proofs: Sequence[str]
) -> None:
    """The tests with most queries, tests without a budget, and proofs; nothing when there is nothing to tell."""
    sending = {test: one for test, one in figures.items() if one.queries}
    if figures:
        terminal.section("queries of the tests", sep="-")
        total = sum(one.queries for one in figures.values())
        terminal.write_line(f"{total} queries in {len(sending)} of {len(figures)} tests")
    if sending:
        terminal.write_line(f"{'queries':>8} {'ms':>10} {'duplicates':>11}  test")
        ranked = sorted(sending.items(), key=lambda one: (-one[1].queries, one[0]))
        for test, one in ranked[:MOST]:
            terminal.write_line(f"{one.queries:>8} {one.milliseconds:>10.1f} {one.duplicates:>11}  {test}")
        if len(ranked) > MOST:
            terminal.write_line(f"and {len(ranked) - MOST} tests with fewer queries")
    if unbudgeted:
        terminal.section("tests without a query budget", sep="-")
        for test in unbudgeted[:MOST]:
            terminal.write_line(test)
        if len(unbudgeted) > MOST:
            terminal.write_line(f"and {len(unbudgeted) - MOST} more")
        terminal.write_line("add them with --queryproof-budgets=update")
    if proofs:
        terminal.section("proofs", sep="-")
        for line in proofs:
            terminal.write_line(line)
