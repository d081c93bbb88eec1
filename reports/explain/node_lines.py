"""What is worth reading of one plan node, as short lines."""

from collections.abc import Iterator

from ...analyzer.plan import PlanNode
from ...analyzer.postgres.plan_text import CONDITIONS
from ...rules.plan_context import PlanContext, misestimate
from ..numbers import duration, figure, plural, size

BLOCK_BYTES = 8192
OFF = 2.0
"""From this factor on the difference between expected and actual rows is told."""
HUNDREDTH = 0.01
"""Loops, each off by half as much, leave the number of rows in all of them together certain up to here."""
MOST_WORKERS = 16
"""Workers whose figures are told one by one."""


def node_lines(context: PlanContext, node: PlanNode) -> Iterator[str]:
    """Rows, times and blocks; then what is particular to the node; then its conditions."""
    yield _rows(context, node)
    if node.actual_loops != 0:
        yield from _figures(node)
        yield from _particulars(node)
    for label, attribute in CONDITIONS:
        if text := getattr(node, attribute):
            yield f"{label.lower()}: {text}"
    for label, texts in (
        ("sort key", node.sort_key),
        ("already sorted by", node.presorted_key),
        ("group key", node.group_key),
    ):
        if texts:
            yield f"{label}: {', '.join(texts)}"


def rows_off(context: PlanContext, node: PlanNode) -> str:
    """By how much the rows that came differ from those expected: `482× more`; empty where that is little or means nothing."""
    if not node.actual_loops or node.actual_rows is None or (node.type.startswith("Bitmap") and node.type != "Bitmap Heap Scan"):  # fmt: skip
        return ""
    if misestimate(node) < OFF or context.stops_early(node) is not None:
        return ""
    return f"{figure(misestimate(node), whole=False)}× {'more' if node.actual_rows > node.plan_rows else 'fewer'}"


def _rows(context: PlanContext, node: PlanNode) -> str:
    expected = figure(node.plan_rows)
    if node.actual_loops is None:
        return f"≈ {expected} rows expected, of {node.plan_width} bytes; cost {figure(node.startup_cost)}…{figure(node.total_cost)}"
    if node.actual_loops == 0 or node.actual_rows is None or node.rows is None:
        return f"never executed ({expected} rows expected)"
    if node.actual_loops == 1:
        told = f"{plural(node.rows, 'row')} came, {expected} expected"
    else:
        # Up to PostgreSQL 17 rows per loop are rounded to whole ones, since then to hundredths.
        whole = node.actual_rows == int(node.actual_rows)
        about = "≈ " if whole else ""
        total = "≈ " if whole or node.actual_loops >= 1 / HUNDREDTH else ""
        told = (
            f"{total}{plural(node.rows, 'row')} came in {figure(node.actual_loops)} loops, "
            f"{about}{figure(node.actual_rows)} in each, {expected} expected in each"
        )
    if off := rows_off(context, node):
        return f"{told}: {off}"
    limit = context.stops_early(node)
    stopped = limit is not None and limit.actual_rows and node.actual_rows < node.plan_rows
    return f"{told}; #{limit.id} stopped it early" if limit is not None and stopped else told


def _figures(node: PlanNode) -> Iterator[str]:
    parts = []
    if node.children and node.total_ms is not None:
        parts.append(f"{duration(node.total_ms)} with all below")
    if node.processes > 1:
        parts.append(f"shared by {figure(node.processes)} processes")
    if node.buffers:
        read = f", {figure(node.self_read)} of them read" if node.self_read else ""
        parts.append(f"{figure(node.buffers)} blocks ({size(node.buffers * BLOCK_BYTES)}{read})")
    if node.self_io_ms:
        parts.append(f"{duration(node.self_io_ms)} waiting for reads")
    if node.self_temp:
        parts.append(f"{size(node.self_temp * BLOCK_BYTES)} of temporary files written")
    if parts:
        yield "; ".join(parts)


def _particulars(node: PlanNode) -> Iterator[str]:
    thrown = (
        (node.removed, "by the filter"),
        (node.removed_by_join_filter, "by the join filter"),
        (node.removed_by_recheck, "on recheck"),
    )
    if told := [f"{figure(count)} {how}" for count, how in thrown if count]:
        yield f"rows thrown away: {', '.join(told)}"
    if node.workers_planned:
        yield f"{figure(node.workers_launched or 0)} of {plural(node.workers_planned, 'worker')} started" if node.workers_launched is not None else f"{plural(node.workers_planned, 'worker')} planned"  # fmt: skip
    if node.sort_method:
        yield f"sorted by {node.sort_method}, {figure(node.sort_space_kb or 0)} kB {'on disk' if node.sort_space_type == 'Disk' else 'of memory'}"  # fmt: skip
    for group in node.sort_groups:
        disk = f", {figure(group.peak_disk_kb)} kB on disk" if group.peak_disk_kb else ""
        yield f"{group.kind.lower()} groups: {figure(group.groups)}, {figure(group.peak_memory_kb or 0)} kB of memory at most{disk}"  # fmt: skip
    if node.hash is not None and (node.hash.batches or node.hash.peak_memory_kb or node.hash.disk_kb):
        disk = f", {figure(node.hash.disk_kb)} kB on disk" if node.hash.disk_kb else ""
        batches = f" in {plural(node.hash.batches, 'batch', 'batches')}" if node.hash.batches else ""
        yield f"hash table{batches}, {figure(node.hash.peak_memory_kb or 0)} kB of memory{disk}"
    if node.memoize is not None and node.memoize.hits is not None:
        yield f"cache: {figure(node.memoize.hits)} hits, {figure(node.memoize.misses or 0)} misses, {figure(node.memoize.evictions or 0)} evictions"  # fmt: skip
    if node.heap_fetches:
        yield f"{figure(node.heap_fetches)} rows looked up in the table (heap fetches)"
    if node.lossy_heap_blocks:
        yield f"{figure(node.lossy_heap_blocks)} lossy and {figure(node.exact_heap_blocks or 0)} exact blocks in the bitmap"
    if node.index_searches and node.index_searches > (node.actual_loops or 1):
        yield f"{figure(node.index_searches)} descents of the index"
    if node.storage:
        yield f"kept in {'temporary files' if node.storage == 'Disk' else 'memory'}, {figure(node.storage_kb or 0)} kB"
    if node.subplans_removed:
        yield f"{plural(node.subplans_removed, 'partition')} left out at run time"
    if node.disabled:
        yield "of a kind that a setting has turned off"
    if node.modification is not None and node.modification.conflicting:
        yield f"{figure(node.modification.conflicting)} rows in conflict"
    yield from _workers(node)


def _workers(node: PlanNode) -> Iterator[str]:
    """EXPLAIN (VERBOSE) tells each worker's figures; what is left is the leader's."""
    told = [one for one in node.workers if one.actual_rows is not None and one.actual_loops is not None]
    if not told or node.rows is None or len(told) > MOST_WORKERS:
        return
    rows = [(one.actual_rows or 0.0) * (one.actual_loops or 0.0) for one in told]
    times = [
        (one.actual_total_ms or 0.0) * (one.actual_loops or 0.0) for one in told if one.actual_total_ms is not None
    ]
    slowest = f"; the slowest took {duration(max(times))}" if times else ""
    yield (f"rows by worker: {', '.join(map(figure, rows))}, leader {figure(max(0.0, node.rows - sum(rows)))}{slowest}")
