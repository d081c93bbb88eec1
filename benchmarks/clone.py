"""`make bench-clone`: how faithful a hollow clone is, against the original and against indexes that are really built.

TPC-H SF 0.1 (from the duckdb wheel at run time) with primary keys, beside jsonb, arrays, full text, ranges and partitions.
`python -m benchmarks.clone [MAJOR]` runs source and clone on that major, found in $QUERYPROOF_PG_BIN or installed.
"""

import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.plan import PlanNode
from queryproof.analyzer.postgres.binaries import find_binaries, find_major
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.plan_reader import read_plan
from queryproof.analyzer.postgres.server import Server

from .kept_server import BENCH
from .tpch import KEYS, _export

EXTRAS = """
CREATE TABLE documents (id bigint PRIMARY KEY, owner int NOT NULL, body jsonb, tags text[], title text, price numeric(10,2),
  during tsrange, state text, created timestamptz, deleted_at timestamptz, words tsvector);
INSERT INTO documents SELECT i, i % 997, jsonb_build_object('kind', 'k' || i % 20, 'n', i % 1000, 'deep', jsonb_build_object('x', i % 7)),
  ARRAY['t' || i % 200, 'u' || i % 31], 'Title ' || md5(i::text), (i % 5000) / 7.0,
  tsrange(timestamp '2024-01-01' + i % 5000 * interval '1 hour', timestamp '2024-01-01' + (i % 5000 + i % 48 + 1) * interval '1 hour'),
  (ARRAY['done','done','done','done','done','done','done','done','open','failed'])[1 + i % 10],
  timestamptz '2024-01-01 00:00+00' + i * interval '3 min', CASE WHEN i % 50 = 0 THEN timestamptz '2025-01-01 00:00+00' END,
  to_tsvector('simple', 'word' || i % 3000 || ' common text number' || i % 11)
FROM generate_series(1, 120000) i;
CREATE INDEX ON documents USING gin (body jsonb_path_ops);
CREATE INDEX ON documents USING gin (tags);
CREATE INDEX ON documents (owner, created DESC);
CREATE INDEX ON documents (lower(title));
CREATE INDEX ON documents (created) WHERE state = 'open';
CREATE STATISTICS documents_state (ndistinct, dependencies, mcv) ON state, owner FROM documents;

CREATE TABLE measurements (at timestamptz NOT NULL, sensor int NOT NULL, value double precision, label text) PARTITION BY RANGE (at);
CREATE TABLE m1 PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
CREATE TABLE m2 PARTITION OF measurements FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
CREATE TABLE m3 PARTITION OF measurements FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY HASH (sensor);
CREATE TABLE m3a PARTITION OF m3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE m3b PARTITION OF m3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO measurements SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 min', i % 300, random(), 'l' || i % 9 FROM generate_series(0, 250000) i;
CREATE INDEX ON measurements (at);
CREATE MATERIALIZED VIEW busy AS SELECT owner, count(*) AS n, max(price) AS top FROM documents GROUP BY 1;
CREATE INDEX ON busy (owner);
CREATE VIEW open_documents AS SELECT id, owner, created, body FROM documents WHERE state = 'open' AND deleted_at IS NULL;
"""
QUERIES = """
SELECT * FROM documents WHERE id = 77
SELECT * FROM documents WHERE owner = 5 ORDER BY created DESC LIMIT 10
SELECT * FROM documents WHERE owner BETWEEN 5 AND 9 AND created > '2024-05-01'
SELECT count(*) FROM documents WHERE body @> '{"kind": "k3"}'
SELECT count(*) FROM documents WHERE body @> '{"kind": "k3", "n": 43}'
SELECT count(*) FROM documents WHERE body->>'kind' = 'k3'
SELECT count(*) FROM documents WHERE (body->>'n')::int = 7
SELECT * FROM documents WHERE tags @> ARRAY['t5']
SELECT * FROM documents WHERE tags && ARRAY['t5', 'u3']
SELECT * FROM documents WHERE tags @> ARRAY['t5', 'u30']
SELECT * FROM documents WHERE lower(title) = 'title x'
SELECT * FROM documents WHERE title LIKE 'Title a%'
SELECT * FROM documents WHERE title LIKE '%beef%'
SELECT * FROM documents WHERE state = 'open' AND created > '2024-08-01' ORDER BY created LIMIT 20
SELECT * FROM documents WHERE state = 'failed'
SELECT * FROM documents WHERE state = 'failed' AND owner = 17
SELECT * FROM documents WHERE deleted_at IS NOT NULL
SELECT state, owner, count(*) FROM documents GROUP BY 1, 2
SELECT owner % 10, count(*) FROM documents GROUP BY 1
SELECT * FROM documents WHERE during @> timestamp '2024-03-01 12:00'
SELECT * FROM documents WHERE during && tsrange('2024-03-01', '2024-03-02')
SELECT * FROM documents WHERE words @@ to_tsquery('simple', 'word77')
SELECT * FROM documents WHERE words @@ to_tsquery('simple', 'common & number3')
SELECT max(created) FROM documents
SELECT * FROM documents WHERE created > '2024-09-07'
SELECT * FROM documents WHERE created < '2023-01-01'
SELECT * FROM documents WHERE price > 700 ORDER BY price DESC LIMIT 5
SELECT d.id, b.n FROM documents d JOIN busy b ON b.owner = d.owner WHERE d.state = 'failed' AND b.n > 110
SELECT * FROM open_documents WHERE owner = 12
SELECT * FROM open_documents o WHERE o.created > '2024-08-30' ORDER BY o.created DESC LIMIT 5
SELECT * FROM busy WHERE owner = 9
SELECT * FROM measurements WHERE at = '2024-02-02 10:00+00'
SELECT * FROM measurements WHERE at BETWEEN '2024-03-30' AND '2024-04-02' AND sensor = 7
SELECT sensor, avg(value) FROM measurements WHERE at >= '2024-06-01' GROUP BY 1
SELECT * FROM measurements WHERE sensor = 12 ORDER BY at DESC LIMIT 3
SELECT count(*) FROM measurements WHERE sensor = 12 AND value > 0.99
SELECT label, count(*) FROM measurements GROUP BY 1
UPDATE documents SET state = 'done' WHERE state = 'failed' AND created < '2024-02-01'
DELETE FROM documents WHERE deleted_at < '2025-02-01'
UPDATE measurements SET label = 'x' WHERE sensor = 4 AND at < '2024-01-03'
SELECT * FROM documents WHERE id IN (SELECT owner FROM busy WHERE top > 714)
SELECT * FROM documents d WHERE EXISTS (SELECT FROM measurements m WHERE m.sensor = d.owner AND m.value > 0.9999)
SELECT * FROM documents d, LATERAL (SELECT * FROM measurements m WHERE m.sensor = d.owner ORDER BY m.at LIMIT 1) x WHERE d.id < 20
WITH recent AS (SELECT * FROM documents WHERE created > '2024-09-01') SELECT owner, count(*) FROM recent GROUP BY 1 ORDER BY 2 DESC LIMIT 5
SELECT id FROM documents WHERE owner = 3 UNION ALL SELECT sensor FROM measurements WHERE sensor = 3
SELECT DISTINCT owner FROM documents WHERE price < 1
SELECT * FROM orders WHERE o_custkey = 370
SELECT * FROM orders WHERE o_orderdate BETWEEN '1995-01-01' AND '1995-01-31' AND o_orderpriority = '1-URGENT'
SELECT * FROM lineitem WHERE l_shipdate = '1996-03-13' AND l_quantity < 5
SELECT l_orderkey, sum(l_extendedprice) FROM lineitem WHERE l_partkey = 155 GROUP BY 1
SELECT c_name FROM customer WHERE c_phone LIKE '13-%' AND c_acctbal > 9900
SELECT * FROM part WHERE p_brand = 'Brand#23' AND p_container = 'MED BOX' AND p_size = 10
SELECT * FROM lineitem ORDER BY l_shipdate DESC LIMIT 10
SELECT o_orderkey FROM orders WHERE o_totalprice > 400000 ORDER BY o_totalprice DESC
SELECT s_name FROM supplier JOIN nation ON s_nationkey = n_nationkey WHERE n_name = 'GERMANY'
""".strip().splitlines()


def _index(table: str, *columns: str, method: str = "btree", include: tuple[str, ...] = (), where: str | None = None,
           classes: str | None = None, descending: bool = False) -> CandidateIndex:  # fmt: skip
    keys = tuple(
        Key(None, column[1:-1], operator_class=classes)
        if column.startswith("(")
        else Key(column, "", descending, None, classes)
        for column in columns
    )
    return CandidateIndex("public", table, method, keys, include, where)


CANDIDATES = (
    _index("orders", "o_custkey"),
    _index("orders", "o_orderdate", "o_orderpriority"),
    _index("orders", "o_totalprice", descending=True),
    _index("lineitem", "l_partkey", include=("l_quantity", "l_extendedprice")),
    _index("lineitem", "l_shipdate", "l_discount", "l_quantity"),
    _index("lineitem", "l_suppkey", "l_shipdate"),
    _index("lineitem", "l_shipdate", method="brin"),
    _index("lineitem", "l_orderkey", include=("l_commitdate", "l_receiptdate", "l_suppkey")),
    _index("customer", "c_nationkey", "c_custkey"),
    _index("customer", "c_phone", classes="text_pattern_ops"),
    _index("part", "p_brand", "p_container", "p_size"),
    _index("partsupp", "ps_suppkey"),
    _index("documents", "state", where="state = 'failed'"),
    _index("documents", "state", "owner"),
    _index("documents", "created"),
    _index("documents", "created", method="brin"),
    _index("documents", "owner", method="hash"),
    _index("documents", "price", descending=True),
    _index("documents", "(body->>'kind')"),
    _index("documents", "(((body->>'n'))::integer)"),
    _index("documents", "words", method="gin"),
    _index("documents", "during", method="gist"),
    _index("documents", "during", method="spgist"),
    _index("documents", "body", method="gin"),
    _index("documents", "title", classes="text_pattern_ops"),
    _index("documents", "title", method="gin", classes="gin_trgm_ops"),
    _index("documents", "deleted_at", where="deleted_at IS NOT NULL"),
    _index("measurements", "sensor"),
    _index("measurements", "sensor", "at"),
    _index("measurements", "value", where="value > 0.99"),
    _index("busy", "top"),
)


def main() -> None:
    """Build the source, clone it, compare, and print the figures."""
    major = int(sys.argv[1]) if len(sys.argv) > 1 else None
    with Server(find_major(major) if major else find_binaries()) as server:
        queries = _load(server)
        source = connect(server.url("source", "app"))
        with source.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 2")
            # A source has planned its workload before, and counted which indexes that looked at.
            for sql in queries:
                cursor.execute(f"EXPLAIN {sql}")
            if server.binaries.major >= 15:
                cursor.execute("SELECT pg_stat_force_next_flush()")
        os.environ["PGOPTIONS"] = "-c max_parallel_workers_per_gather=2"
        start = time.perf_counter()
        taken = read_source(server.url("source", "reader"))
        os.environ.pop("PGOPTIONS")
        read = time.perf_counter() - start
        start = time.perf_counter()
        with HollowClone(taken) as clone:
            built = time.perf_counter() - start
            print(f"{clone.kind}: read in {read:.2f} s, ready in {built:.2f} s")
            for note in clone.left_out:
                print(f"  left out: {note.what}: {note.reason}")
            _fidelity(source, clone, queries)
            _what_if(source, CloneWhatIf(clone), queries)
        source.close()
        if server.binaries.major >= 18:
            _hundred_gigabytes(server)


def _load(server: Server) -> list[str]:
    folder = BENCH / "tpch-0.1"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "q22.query").exists():
        _export(folder)
    server.create_database("source")
    connection = connect(server.url("source", "app"))
    with connection.cursor() as cursor:
        for table, key in KEYS.items():
            cursor.execute((folder / f"{table}.sql").read_text())
            with (folder / f"{table}.csv").open() as file:
                cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", file)
            cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        cursor.execute(EXTRAS)
        if server.binaries.major >= 14:
            cursor.execute("CREATE STATISTICS documents_expr ON (owner % 10), state FROM documents")
        cursor.execute("VACUUM (ANALYZE)")
    connection.close()
    tpch = [file.read_text().strip().rstrip(";") for file in sorted(folder.glob("*.query"))]
    return [*QUERIES, *tpch]


def _fidelity(source: Any, clone: HollowClone, queries: Sequence[str]) -> None:
    same, ratios, exact = 0, [], 0
    for sql in queries:
        original, cloned = _explained(source, sql), clone.plan(sql)
        same += _shape(original) == _shape(cloned.root)
        if _shape(original) != _shape(cloned.root):
            print(f"  different plan: {sql[:100]!r}")
        ratio = cloned.root.total_cost / original.total_cost
        ratios.append(ratio)
        exact += abs(ratio - 1) < 1e-6
        if abs(ratio - 1) > 0.01:
            print(f"  cost ratio {ratio:.4f}: {sql[:100]!r}")
    print(
        f"Plans: {same} of {len(queries)} of the same shape ({same / len(queries):.1%}), {exact} of the same cost, "
        f"cost ratio {min(ratios):.4f}…{max(ratios):.4f}, median {statistics.median(ratios):.4f}"
    )


def _what_if(source: Any, what_if: CloneWhatIf, queries: Sequence[str]) -> None:
    pairs = agreed = touched = 0
    ratios: list[float] = []
    adding: list[float] = []
    asking: list[float] = []
    sizes: list[float] = []
    for candidate in CANDIDATES:
        start = time.perf_counter()
        handle = what_if.add(candidate)
        what_if.price(queries[0], [handle])
        adding.append((time.perf_counter() - start) * 1000)
        with source.cursor() as cursor:
            cursor.execute(candidate.definition("queryproof_real", concurrently=False))
            cursor.execute(
                "WITH RECURSIVE f AS (SELECT 'queryproof_real'::regclass::oid AS oid UNION ALL SELECT inhrelid FROM pg_inherits"
                " JOIN f ON f.oid = inhparent) SELECT sum(pg_relation_size(oid))::bigint, array_agg(oid::regclass::text) FROM f"
            )
            size, names = cursor.fetchone()
        sizes.append(what_if.size_bytes(handle) / size)
        for sql in queries:
            original = _explained(source, sql)
            really = any(node.index in names for node in original.walk())
            start = time.perf_counter()
            price = what_if.price(sql, [handle])
            asking.append((time.perf_counter() - start) * 1000)
            planned = handle in price.used
            pairs += 1
            agreed += really == planned
            touched += really or planned
            if really != planned:
                print(
                    f"  {candidate.definition('x', concurrently=False)}: really {really}, planned {planned}: {sql[:90]!r}"
                )
            elif really:
                ratios.append(price.cost / original.total_cost)
                if abs(ratios[-1] - 1) > 0.05:
                    print(f"  cost {ratios[-1]:.3f}: {candidate.definition('x', concurrently=False)}: {sql[:90]!r}")
        with source.cursor() as cursor:
            cursor.execute("DROP INDEX queryproof_real")
    within = sum(abs(ratio - 1) <= 0.1 for ratio in ratios)
    print(
        f"Candidates: {len(CANDIDATES)} × {len(queries)} = {pairs} pairs, used or not agrees on {agreed} ({agreed / pairs:.2%}); "
        f"used in {touched}; cost ratio {min(ratios):.3f}…{max(ratios):.3f}, median {statistics.median(ratios):.4f}, "
        f"within 10 %: {within} of {len(ratios)}; size ratio {min(sizes):.2f}…{max(sizes):.2f}, median {statistics.median(sizes):.2f}"
    )
    print(
        f"A candidate added and a statement planned: median {statistics.median(adding):.1f} ms, most {max(adding):.1f} ms; "
        f"one more price: median {statistics.median(asking):.2f} ms"
    )


def _hundred_gigabytes(server: Server) -> None:
    """A source whose file is 100 GB long (a hole) and whose statistics say so."""
    server.create_database("large")
    connection = connect(server.url("large", "app"))
    pages = 100 * 131_072
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE events (id bigint, kind int, at timestamptz, payload text)")
        cursor.execute(
            "INSERT INTO events SELECT i, i % 500, now() - i * interval '1 s', repeat('x', 60) FROM generate_series(1, 50000) i"
        )
        cursor.execute("ALTER TABLE events ADD PRIMARY KEY (id)")
        cursor.execute("ANALYZE events")
        cursor.execute("SELECT pg_relation_filepath('events')")
        ((path,),) = cursor.fetchall()
        cursor.execute(
            "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', 'events', 'relpages', %s, 'reltuples', 1000000000::real)",
            (pages,),
        )
    connection.close()
    for segment in range(100):
        part = server.data / (path if segment == 0 else f"{path}.{segment}")
        with part.open("ab") as file:
            file.truncate(1 << 30)
        os.chown(part, *server.owner)
    start = time.perf_counter()
    taken = read_source(server.url("large", "reader"))
    with HollowClone(taken) as clone:
        ready = time.perf_counter() - start
        what_if = CloneWhatIf(clone)
        disk = sum(file.stat().st_blocks * 512 for file in clone.directory.rglob("*") if file.is_file())
        apparent = sum(file.stat().st_size for file in clone.directory.rglob("*") if file.is_file())
        times = []
        for columns in itertools.permutations(("kind", "at", "payload"), 2):
            begun = time.perf_counter()
            handle = what_if.add(_index("events", *columns))
            what_if.price("SELECT * FROM events WHERE kind = 3 AND at > now() - interval '1 hour'", [handle])
            times.append((time.perf_counter() - begun) * 1000)
        plan = what_if.plan("SELECT count(*) FROM events")
        print(
            f"100 GB table: read and ready in {ready:.1f} s, {disk / 1e6:.0f} MB on disk ({apparent / 1e9:.0f} GB apparent), "
            f"a candidate {statistics.median(times):.1f} ms (most {max(times):.1f}), seq scan cost {plan.root.total_cost:.3g}"
        )


def _explained(source: Any, sql: str) -> PlanNode:
    with source.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        ((document,),) = cursor.fetchall()
    return read_plan(json.dumps(document)).root


def _shape(node: PlanNode) -> tuple[Any, ...]:
    return (node.type, node.relation, node.index, node.join_type, tuple(map(_shape, node.children)))


if __name__ == "__main__":
    Path(BENCH).mkdir(exist_ok=True)
    main()
