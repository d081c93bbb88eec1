"""`make bench-advisor`: sets of indexes chosen on a hollow clone, then really built on the source, and what they do there.

`python -m benchmarks.advisor tpch 18 150 300 900 1500`: benchmark, PostgreSQL's major, budgets in MB. `--run` measures run
times too, with and without the set in turns, `--curve` the time of a curve of eight budgets. `--prove` takes out of the set first
what `queryproof advise --prove measure` takes out. Summed EXPLAIN cost after / before, real megabytes. The data, made at the
first run, and the servers are kept in `$QUERYPROOF_BENCH`.
"""

import argparse
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from queryproof.analysis import silent
from queryproof.analyzer.advise.banned import NOTHING, Banned
from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_pool import candidate_pool
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.index_advice import describe
from queryproof.analyzer.advise.prove_set import prove_set
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import Constraints, Selection, WeightedQuery
from queryproof.analyzer.advise.set_trial import SetTrial
from queryproof.analyzer.advise.trial_runs import TrialRuns
from queryproof.analyzer.postgres.binaries import find_binaries, find_major
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_file import CloneFile
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.sql.identifier import quote_qualified
from queryproof.analyzer.sql.parse import analyse

from .kept_server import BENCH, KeptServer
from .tpc import loaded, queries

CURVE = (100, 150, 200, 300, 500, 700, 1000, 1500)
SLOWER, SLOWER_S = 1.2, 0.1
"""A query measured beyond both is named as slower."""
RUNS = 3
TIMEOUT_S = 120
"""By the clock: a query that takes longer counts as not measured."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A selection and the seconds it took: by the clock, of this process's CPU, of the clone server's CPU."""

    selection: Selection
    wall: float
    own: float
    server: float


def main() -> None:
    """Choose, build, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.advisor")
    parser.add_argument("kind", choices=("tpch", "tpcds"))
    parser.add_argument("major", type=int)
    parser.add_argument("budgets", type=float, nargs="*")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--curve", action="store_true")
    given = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    binaries = find_major(given.major) or find_binaries()
    texts = queries(given.kind)
    with KeptServer(f"pg{given.major}", binaries) as server:
        url = loaded(server, given.kind)
        connection = connect(url)
        _tidy(connection)
        taken = read_source(url)
        if given.curve:
            timed = chosen(taken, texts, None, CURVE)
            points = ", ".join(f"{point.cost:.3f} at {point.size_bytes / 1e6:.0f}" for point in timed.selection.curve)
            print(f"{given.kind} {given.major}, curve of {len(CURVE)} in {_seconds(timed)}: {points}")
        before = explained(connection, texts)
        root = connect(server.url(given.kind, "postgres")) if given.run else None
        for budget in given.budgets:
            timed = chosen(taken, texts, int(budget * 1e6))
            print(f"{given.kind} {given.major}, {budget:.0f} MB, {_seconds(timed)}", flush=True)
            selection = proven(url, taken, texts, int(budget * 1e6), timed) if given.prove else timed.selection
            compare(connection, texts, selection, before, root)
        connection.close()


def chosen(
    clone: CloneFile,
    texts: dict[str, str],
    budget: int | None,
    curve: Sequence[int] = (),
    banned: Banned = NOTHING,
) -> Timed:
    """The advisor's set, on a clone of its own."""
    workload = [WeightedQuery(name, ((sql, 1.0),), 1.0) for name, sql in texts.items()]
    with HollowClone(clone) as running:
        start, own, server = time.perf_counter(), time.process_time(), _cpu(running.server_pid)
        schema = running.schema()
        found = candidate_pool({name: analyse(sql, schema) for name, sql in texts.items()}, {}, schema)
        selection = select_indexes(
            workload, found.indexes, CloneWhatIf(running), schema, Constraints(budget_bytes=budget),
            bundles=found.bundles, budgets=[megabytes * 1_000_000 for megabytes in curve], banned=banned,
        )  # fmt: skip
        return Timed(
            selection, time.perf_counter() - start, time.process_time() - own, _cpu(running.server_pid) - server
        )


def proven(url: str, clone: CloneFile, texts: dict[str, str], budget: int, timed: Timed) -> Selection:
    """The set without what does not help in truth, and with what is chosen in its place."""
    explainer = Explainer(connect(url), analyze=True, timeout_s=TIMEOUT_S)
    statements = [(name, 1.0, sql) for name, sql in texts.items()]

    with (
        Builder(connect(url), timeout_s=TIMEOUT_S) as builder,
        SetTrial(statements, builder, TrialRuns(explainer), silent) as trial,
    ):
        selection, found = prove_set(
            timed.selection, lambda found: chosen(clone, texts, budget, banned=found.banned).selection, trial
        )
    for index, reason in found.taken_out:
        print(f"    taken out: {describe(index)}: {reason}", flush=True)
    times = [(one.fingerprint, one.before.execution_ms or 0.0, one.after.execution_ms or 0.0) for one in found.queries]
    print(f"    as measured: {', '.join(f'{name} {old:.0f}→{new:.0f}' for name, old, new in times)} ms", flush=True)
    return replace(selection, chosen=tuple(one for one in selection.chosen if one.index in found.kept))


def compare(
    connection: Connection,
    texts: dict[str, str],
    selection: Selection,
    before: dict[str, float],
    root: Connection | None,
) -> None:
    """Really build the set, explain every query, and take it away again. root: the superuser's, when queries are run too."""
    with built(connection, selection) as (names, size):
        after = explained(connection, texts)
        planned = selection.cost_after / selection.cost_before
        print(
            f"  {len(selection.chosen)} indexes, planned {planned:.4f} at "
            f"{sum(one.size_bytes for one in selection.chosen) / 1e6:.0f} MB; really built "
            f"{sum(after.values()) / sum(before.values()):.4f} at {size / 1e6:.0f} MB",
            flush=True,
        )
        for gain in selection.gains:
            if abs(after[gain.fingerprint] / gain.cost_after - 1) > 0.1:
                print(f"    {gain.fingerprint}: planned {gain.cost_after:.0f}, really {after[gain.fingerprint]:.0f}")
            if after[gain.fingerprint] > 1.1 * before[gain.fingerprint]:
                print(f"    {gain.fingerprint}: planned slower than without indexes")
        if root is not None:
            ran, times = measured(connection, root, texts, names)
            slower = [n for n in times if times[n] > SLOWER * ran[n] and times[n] > ran[n] + SLOWER_S]
            print(f"  run: {sum(ran.values()):.1f} s became {sum(times.values()):.1f} s; slower: {slower or 'none'}")
            print("   ", ", ".join(f"{name} {ran[name]:.2f}→{times[name]:.2f}" for name in times), flush=True)


@contextmanager
def built(connection: Connection, selection: Selection) -> Iterator[tuple[list[str], int]]:
    """The set as real indexes: their names and their size in bytes."""
    names = []
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        try:
            for one in selection.chosen:
                cursor.execute(one.index.definition(one.name, concurrently=False))
                names.append(quote_qualified(one.index.schema, one.name))
            sizes = []
            for name, one in zip(names, selection.chosen, strict=True):
                cursor.execute("SELECT pg_relation_size(%s::regclass)", (name,))
                ((size,),) = cursor.fetchall()
                sizes.append(size)
                target = one.index.target("", one.index.table).removeprefix('"".').replace('"', "")
                print(f"    {target}: {one.size_bytes / 1e6:.0f} MB, really {size / 1e6:.0f}; {' '.join(one.serves)}")
            yield names, sum(sizes)
        finally:
            for name in names:
                cursor.execute(f"DROP INDEX {name}")


def _tidy(connection: Connection) -> None:
    """Drop what a run that was ended has left behind: the tables have no other indexes than their keys."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisprimary AND indexrelid >= 16384")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")


def explained(connection: Connection, texts: dict[str, str]) -> dict[str, float]:
    """Total cost of each query."""
    found = {}
    with connection.cursor() as cursor:
        for name, sql in texts.items():
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            ((plan,),) = cursor.fetchall()
            found[name] = float(plan[0]["Plan"]["Total Cost"])
    return found


def measured(
    connection: Connection, root: Connection, texts: dict[str, str], names: list[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each query without and with these indexes, which are switched off and on in turns: the median of RUNS warm runs
    each, of the server's process time, which other load does not stretch.

    A query that is cancelled after TIMEOUT_S is infinitely slow.
    """
    without: dict[str, float] = {}
    found: dict[str, float] = {}
    for name, sql in texts.items():
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(RUNS):
            for on in (False, True):
                switch(root, names, on)
                times[on].append(_run(connection, sql))
        without[name], found[name] = statistics.median(times[False]), statistics.median(times[True])
    switch(root, names, True)
    return without, found


def switch(root: Connection, names: list[str], on: bool) -> None:
    """Let the planner see these indexes, or not. Nothing may write meanwhile."""
    with root.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = %s WHERE indexrelid = ANY(%s::regclass[])", (on, names))
        cursor.execute(
            "UPDATE pg_class SET relnatts = relnatts"
            " WHERE oid IN (SELECT indrelid FROM pg_index WHERE indexrelid = ANY(%s::regclass[]))",
            (names,),
        )


def _run(connection: Connection, sql: str) -> float:
    start = _own(connection.info.backend_pid)
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{TIMEOUT_S}s'")
        try:
            cursor.execute(sql)
            cursor.fetchall()
        except psycopg2.errors.QueryCanceled:
            return math.inf
        finally:
            cursor.execute("SET statement_timeout = 0")
    return _own(connection.info.backend_pid) - start


def _seconds(timed: Timed) -> str:
    return f"{timed.wall:.1f} s by the clock (CPU: {timed.own:.1f} Python, {timed.server:.1f} PostgreSQL)"


def _cpu(postmaster: int | None) -> float:
    """CPU seconds of a server's backends so far."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            total += (int(fields[11]) + int(fields[12])) / 100
    return total


def _own(pid: int) -> float:
    """CPU seconds of one process."""
    return float(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    main()
