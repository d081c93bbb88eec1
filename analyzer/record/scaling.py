"""How the number of queries grows with the rows: the same code run on few, more and many of them."""

import asyncio
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Literal

from ..errors import QueryproofError
from .statement_count import CountedStatement, StatementCount, counting, described

SIZES = (2, 20, 200)
CONSTANT = 0.01
"""Queries a row below which the number is called constant: chunks and pages of a hundred rows stay below it."""
ROUNDING = 1.0
"""Queries that a straight line may bend by: the last of a row of chunks is sent whole, however few rows are left for it."""

Growth = Literal["constant", "sublinear", "linear", "superlinear"]
_MODELS: tuple[tuple[Growth, Callable[[int], float]], ...] = (
    ("linear", float),
    ("sublinear", lambda n: math.log(n + 1)),
    ("sublinear", math.sqrt),
    ("superlinear", lambda n: n * math.log(n + 1)),
    ("superlinear", lambda n: float(n) ** 2),
    ("superlinear", lambda n: float(n) ** 3),
)
"""What is fitted; the first stands where another is not better, as with two sizes."""


@dataclass(frozen=True, slots=True, repr=False)
class Scaling:
    """Queries by size. slope: queries for each further row, by least squares over the sizes. growth: which of the curves fits
    best. growing: the statements that are sent more often for the largest size than for the smallest, most first."""

    sizes: tuple[int, ...]
    queries: tuple[int, ...]
    milliseconds: tuple[float, ...]
    slope: float
    growth: Growth
    growing: tuple[CountedStatement, ...]

    @property
    def constant(self) -> bool:
        """Whether the number of queries does not depend on the number of rows."""
        return self.growth == "constant"

    def assert_constant(self) -> None:
        """Raise AssertionError, with the statements that grow, unless the number of queries is constant."""
        __tracebackhide__ = True
        self._assert("constant")

    def assert_at_most_linear(self) -> None:
        """Raise AssertionError, with the statements that grow, where queries grow faster than the rows."""
        __tracebackhide__ = True
        self._assert("constant", "sublinear", "linear")

    def _assert(self, *allowed: Growth) -> None:
        __tracebackhide__ = True
        if not any(self.queries):
            raise AssertionError(
                "no query was seen for any size: nothing is proven. Does the code query through SQLAlchemy?"
            )
        if self.growth not in allowed:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        counts = ", ".join(f"{queries} for {size}" for size, queries in zip(self.sizes, self.queries, strict=True))
        if self.constant:
            return f"the number of queries does not depend on the rows: {counts}"
        return (
            f"queries grow with the rows ({self.growth}, {self.slope:.2f} a row): {counts}\n{described(self.growing)}"
        )

    def __repr__(self) -> str:
        return f"<Scaling {self.growth}: {dict(zip(self.sizes, self.queries, strict=True))} queries by rows>"


def scaling(
    run: Callable[[int], object],
    sizes: Sequence[int] = SIZES,
    *,
    setup: Callable[[int], object] | None = None,
) -> Scaling:
    """Run `run(size)` for each size, after an uncounted `setup(size)`, and fit how the number of queries grows.

    Setting up means to leave `size` rows where `run` looks for them, those of the size before removed. Both may be coroutine
    functions: they run in one event loop of their own, so from async code call `await asyncio.to_thread(scaling, …)`.
    Raises QueryproofError for sizes that show no growth, or where an event loop runs already.
    """
    sizes = checked_sizes(sizes)
    for name, function in (("run", run), ("setup", setup)):
        if function is not None and not callable(function):
            raise QueryproofError(f"scaling: {name} must be a function of the number of rows, not {function!r}")
    counts: list[StatementCount] = []
    runner = asyncio.Runner()  # Makes no loop before it is asked to run something.
    try:
        for size in sizes:
            counts.append(_counted(run, setup, size, runner))
    finally:
        runner.close()
    return fit(sizes, counts)


def checked_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """The sizes, from small to large. Raises QueryproofError unless they are two or more different whole numbers above 0."""
    try:
        given = tuple(sizes)
    except TypeError:
        raise QueryproofError(f"sizes must be several numbers of rows, such as {SIZES}, not {sizes!r}") from None
    if any(type(size) is not int or size < 1 for size in given):
        raise QueryproofError(f"sizes must be whole numbers of rows above 0, such as {SIZES}, not {given!r}")
    if len(set(given)) < 2:
        raise QueryproofError(f"growth shows from two different sizes on, such as {SIZES}; given was {given!r}")
    return tuple(sorted(set(given)))


def fit(sizes: tuple[int, ...], counts: Sequence[StatementCount]) -> Scaling:
    """The growth over counts that belong to the sizes, which rise."""
    queries = tuple(count.queries for count in counts)
    least = counts[0].by_text
    growing = [one for one in counts[-1].most() if one.calls > (least[one.text].calls if one.text in least else 0)]
    return Scaling(
        sizes,
        queries,
        tuple(count.milliseconds for count in counts),
        _least_squares([float(size) for size in sizes], queries)[0],
        growth(sizes, queries),
        tuple(growing),
    )


def growth(sizes: Sequence[int], queries: Sequence[int]) -> Growth:
    """The curve a + b·f(rows) that leaves the least squared error; constant where a row costs less than CONSTANT queries."""
    slope, _ = _least_squares([float(size) for size in sizes], queries)
    if slope < CONSTANT:
        return "constant"
    best, least = "linear", math.inf
    for name, curve in _MODELS:
        factor, error = _least_squares([curve(size) for size in sizes], queries)
        # A tie, as with two sizes, is none of the others' merit.
        if factor > 0 and error < least - 1e-6 * (1 + max(queries)) ** 2:
            best, least = name, error
    if best == "superlinear" and _below_the_line(sizes, queries) <= ROUNDING:
        return "linear"
    return best  # type: ignore[return-value] # a name of _MODELS


def _below_the_line(sizes: Sequence[int], queries: Sequence[int]) -> float:
    """How many queries a size sends less than the straight line from the smallest to the largest says, at most."""
    rise = (queries[-1] - queries[0]) / (sizes[-1] - sizes[0])
    return max(queries[0] + rise * (size - sizes[0]) - count for size, count in zip(sizes, queries, strict=True))


def _least_squares(x: Sequence[float], y: Sequence[int]) -> tuple[float, float]:
    """Slope Σ(x−x̄)(y−ȳ) / Σ(x−x̄)² and the sum of squared errors that is left."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((one - mean_x) ** 2 for one in x)
    slope = sum((one - mean_x) * (two - mean_y) for one, two in zip(x, y, strict=True)) / spread
    return slope, sum((two - mean_y - slope * (one - mean_x)) ** 2 for one, two in zip(x, y, strict=True))


def _counted(
    run: Callable[[int], object], setup: Callable[[int], object] | None, size: int, runner: asyncio.Runner
) -> StatementCount:
    try:
        if setup is not None:
            _complete(setup(size), runner)
        with counting(f"{getattr(run, '__name__', 'run')} of {size}") as count:
            _complete(run(size), runner)
    except Exception as error:
        error.add_note(f"queryproof.scaling: while running with {size} rows")
        raise
    return count


def _complete(result: object, runner: asyncio.Runner) -> None:
    if inspect.iscoroutine(result):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # A runner keeps the context of its first run: the statements of all sizes would be counted with the first.
            runner.run(result, context=copy_context())
        else:
            result.close()
            raise QueryproofError(
                "scaling runs a coroutine function in an event loop of its own, and one runs here already: "
                "use `await asyncio.to_thread(queryproof.scaling, …)`"
            )
