"""`make bench-plans`: what reading, timing and judging JSON plans costs, and whether memory stays flat.

The plans are real ones, of statements that join, aggregate, nest and repeat over a small database on a server of our own;
each is read 1,000 times under other literals and figures, so that no cache answers for the work.
"""

import gc
import json
import random
import re
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.server import Server
from queryproof.rules.judge_plan import judge_plan
from queryproof.rules.plan_context import PlanContext

PLANS, SMALLEST, LARGEST = 1000, 20, 200
LIMIT_S = 10.0
BATCHES = 3
SETUP = """
CREATE TABLE region (id int PRIMARY KEY, name text);
INSERT INTO region SELECT n, 'r' || n FROM generate_series(1, 5) n;
CREATE TABLE customer (id int PRIMARY KEY, region int, name text, created date);
INSERT INTO customer SELECT n, 1 + n % 5, 'c' || n, date '2024-01-01' + n % 300 FROM generate_series(1, 2000) n;
CREATE TABLE orders (id int PRIMARY KEY, customer int, status text, total numeric, created date);
INSERT INTO orders SELECT n, 1 + n % 2000, 's' || n % 7, n % 900, date '2024-01-01' + n % 300 FROM generate_series(1, 10000) n;
CREATE INDEX ON orders (customer);
CREATE TABLE line (order_id int, part int, quantity int);
INSERT INTO line SELECT 1 + n % 10000, n % 500, n % 40 FROM generate_series(1, 30000) n;
CREATE INDEX ON line (order_id);
CREATE TABLE event (at date, kind text, body text) PARTITION BY RANGE (at);
PARTITIONS
INSERT INTO event SELECT date '2024-01-01' + n % 400, 'k' || n % 9, 'body' FROM generate_series(1, 4000) n;
ANALYZE;
"""
PARTITIONS = "\n".join(
    f"CREATE TABLE event_{n} PARTITION OF event FOR VALUES FROM (date '2024-01-01' + {10 * n}) TO (date '2024-01-11' + {10 * n});"
    for n in range(41)
)
BLOCKS = (
    "SELECT c.name, count(*), sum(o.total) FROM customer c JOIN orders o ON o.customer = c.id JOIN line l ON l.order_id = o.id WHERE o.status = 's3' AND o.created > date '2024-03-01' GROUP BY c.name ORDER BY 2 DESC LIMIT 10",
    "SELECT r.name, (SELECT max(o.total) FROM orders o JOIN customer c ON c.id = o.customer WHERE c.region = r.id)::text, 1 FROM region r WHERE r.name LIKE 'r%'",
    "SELECT c.name, row_number() OVER (PARTITION BY c.region ORDER BY c.created), 2 FROM customer c WHERE c.id NOT IN (SELECT customer FROM orders WHERE total > 800)",
    "SELECT kind, count(*), 3 FROM event WHERE at > date '2024-06-01' AND body = 'body' GROUP BY kind",
    "SELECT o.status, count(DISTINCT o.customer), 4 FROM orders o WHERE (o.total > 10 OR o.status = 's1') AND EXISTS (SELECT FROM line l WHERE l.order_id = o.id AND l.quantity > 20) GROUP BY 1 HAVING count(*) > 2",
)


def collect() -> list[str]:
    """EXPLAIN's JSON of statements with 20–200 nodes."""
    found = []
    with Server() as server:
        server.create_database("plans")
        connection = connect(server.url("plans", "app"))
        with connection.cursor() as cursor:
            cursor.execute(SETUP.replace("PARTITIONS", PARTITIONS))
            for count in range(2, 17, 2):
                for first in range(len(BLOCKS)):
                    parts = [
                        f"SELECT a::text, b::text, c::text FROM ({BLOCKS[(first + n) % len(BLOCKS)]}) AS t(a, b, c)"
                        for n in range(count)
                    ]
                    cursor.execute(
                        f"EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON) {' UNION ALL '.join(parts)}"
                    )
                    ((document,),) = cursor.fetchall()
                    if SMALLEST <= len(list(_nodes(document[0]["Plan"]))) <= LARGEST:
                        found.append(json.dumps(document))
        connection.close()
    return found


def varied(document: str, seed: int) -> str:
    """The same plan with other literals, so that nothing can be answered from a cache of texts."""
    chance = random.Random(seed)
    return re.sub(
        r"'s\d+'|'k\d+'|'2024-\d\d-\d\d'|> \d+",
        lambda match: f"> {chance.randrange(10**6)}" if match[0][0] == ">" else f"'v{chance.randrange(10**9)}'",
        document,
    )


def work(document: str) -> int:
    """Read, time and judge one plan; its findings."""
    return len(judge_plan(PlanContext(read_plan(document)))[0])


def _nodes(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield raw
    for child in raw.get("Plans", ()):
        yield from _nodes(child)


def _speed() -> float:
    """Seconds of CPU for a fixed loop: on a busy machine a core's second does less."""
    begin, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return time.process_time() - begin


def run() -> int:
    """Print the figures; 1 when the limit is broken."""
    sources = collect()
    sizes = [len(list(_nodes(json.loads(one)[0]["Plan"]))) for one in sources]
    print(f"{len(sources)} source plans, {min(sizes)}–{max(sizes)} nodes, median {statistics.median(sizes):.0f}")
    work(sources[0])
    took, peaks, held, speeds = [], [], [], []
    for batch in range(BATCHES):
        documents = [varied(sources[n % len(sources)], batch * PLANS + n) for n in range(PLANS)]
        begin = time.process_time()
        findings = sum(work(one) for one in documents)
        took.append(time.process_time() - begin)
        del documents
        gc.collect()
        speeds.append(_speed())
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(
            f"batch {batch + 1}: {PLANS} plans, {findings} findings, {took[-1]:.2f} s of CPU, peak RSS {peaks[-1]:.0f} MB"
        )
    tracemalloc.start()
    for batch in range(3):
        for n in range(PLANS // 5):
            work(varied(sources[n % len(sources)], 10**6 + batch * PLANS + n))
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] / 2**20)
    print(f"held after batches of {PLANS // 5} (tracemalloc): {', '.join(f'{one:.2f} MB' for one in held)}")
    print(f"a loop of a million additions took {statistics.median(speeds):.3f} s meanwhile")
    print(f"median {statistics.median(took):.2f} s for {PLANS} plans (limit {LIMIT_S:g} s)")
    return 1 if statistics.median(took) > LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(run())
