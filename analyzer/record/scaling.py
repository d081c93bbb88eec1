"""How the number of queries grows with the rows: the same code run on few, more and many of them."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .statement_count import CountedStatement, StatementCount, counting, described

SIZES = (2, 20, 200)
CONSTANT = 0.01
"""Queries a row below which the number is called constant: chunks and pages of a hundred rows stay below it."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Queries by size. slope: queries for each further row, by least squares over the sizes; growing: the statements that are
    sent more often for the largest size than for the smallest, most first."""

    sizes: tuple[int, ...]
    queries: tuple[int, ...]
    milliseconds: tuple[float, ...]
    slope: float
    growing: tuple[CountedStatement, ...]

    @property
    def constant(self) -> bool:
        """Whether the number of queries does not depend on the number of rows."""
        return abs(self.slope) < CONSTANT

    def assert_constant(self) -> None:
        """Raise AssertionError with the statements that grow unless the number of queries is constant."""
        if not self.constant:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        counts = ", ".join(f"{queries} for {size}" for size, queries in zip(self.sizes, self.queries, strict=True))
        if self.constant:
            return f"the number of queries does not depend on the rows: {counts}"
        return f"queries grow with the rows, {self.slope:.2f} for each: {counts}\n{described(list(self.growing))}"


def scaling(
    run: Callable[[int], object],
    sizes: Sequence[int] = SIZES,
    *,
    setup: Callable[[int], object] | None = None,
) -> Scaling:
    """Run `run(size)` for each size, after an uncounted `setup(size)`, and fit how the number of queries grows.

    Either may be a coroutine function, then it must be called where no event loop runs. Setting up means to leave `size` rows
    where `run` looks for them, those of the size before removed. Raises ValueError for fewer than two different sizes.
    """
    sizes = tuple(sizes)
    if len(set(sizes)) < 2:
        raise ValueError("growth can be seen from two different sizes on")
    counts: list[StatementCount] = []
    for size in sizes:
        if setup is not None:
            _completed(setup(size))
        with counting(f"{getattr(run, '__name__', 'run')} of {size}") as count:
            _completed(run(size))
        counts.append(count)
    return fit(sizes, counts)


def fit(sizes: tuple[int, ...], counts: Sequence[StatementCount]) -> Scaling:
    """The growth over counts that belong to the sizes."""
    queries = tuple(count.queries for count in counts)
    order = sorted(range(len(sizes)), key=lambda index: sizes[index])
    least, most = counts[order[0]], counts[order[-1]]
    growing = [
        one for one in most.most() if one.calls > (least.by_text[one.text].calls if one.text in least.by_text else 0)
    ]
    return Scaling(sizes, queries, tuple(count.milliseconds for count in counts), slope(sizes, queries), tuple(growing))


def slope(sizes: Sequence[int], queries: Sequence[int]) -> float:
    """Least squares: Σ(x−x̄)(y−ȳ) / Σ(x−x̄)²."""
    x, y = sum(sizes) / len(sizes), sum(queries) / len(queries)
    spread = sum((one - x) ** 2 for one in sizes)
    return sum((one - x) * (two - y) for one, two in zip(sizes, queries, strict=True)) / spread


def _completed(result: object) -> None:
    if inspect.iscoroutine(result):
        asyncio.run(result)
