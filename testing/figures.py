"""What one test has sent, as it travels on its report from a worker to the process that sums up."""

from dataclasses import dataclass
from typing import Any

FIGURES = "queryproof"
"""Attribute of the report."""


@dataclass(frozen=True, slots=True)
class TestFigures:
    """One test's queries, the milliseconds they took, and how many repeated an earlier one with its values.

    growth: of a test marked query_scaling, what its judge has to know (`growth.growth_figures`).
    """

    __test__ = False

    test: str
    queries: int
    milliseconds: float
    duplicates: int
    passed: bool = False
    growth: dict[str, Any] | None = None
