"""The size model against indexes really built."""

import statistics

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.index_size import PAGE, index_size
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect

ROWS = 40_000
SETUP = f"""
CREATE TABLE things (
    id integer, few smallint, owner integer, day date, note varchar(60), code uuid, amount numeric(12,2), half integer,
    at timestamptz, tags integer[], doc jsonb, fixed char(9), pair_a integer, pair_b integer);
SELECT setseed(0.5);
INSERT INTO things SELECT n, n % 7, (random() * 900)::int, date '2020-01-01' + n / 100, repeat('x', (random() * 30)::int) || n,
    md5(n::text)::uuid, (random() * 10000)::numeric(12,2), CASE WHEN n % 2 = 0 THEN n END, now() + n * interval '1 minute',
    ARRAY[n % 50, n % 51, n % 53], jsonb_build_object('k', n % 100, 'v', md5((n % 1000)::text)), 'abc' || n % 10,
    n % 100, (n % 100) * 3
FROM generate_series(1, {ROWS}) n;
CREATE STATISTICS pairs (ndistinct) ON pair_a, pair_b FROM things;
VACUUM ANALYZE things;
"""
BTREES = (
    "id", "few", "owner", "day", "note", "code", "amount", "half", "at", "fixed", "few,owner", "few,day", "owner,note", "code,id",
    "pair_a,pair_b", "id;few", "owner;day,note", "day;amount", "few;fixed,code", "amount,half",
)  # fmt: skip


def candidate(keys: str, method: str = "btree", predicate: str | None = None) -> CandidateIndex:
    names, _, include = keys.partition(";")
    return CandidateIndex(
        "public",
        "things",
        method,
        tuple(Key(name) for name in names.split(",")),
        tuple(include.split(",")) if include else (),
        predicate,
    )


def test_sizes_are_those_of_real_builds(database: str) -> None:
    connection = connect(database)
    candidates = [(candidate(keys), 1.0) for keys in BTREES]
    candidates += [(candidate("owner", "hash"), 1.0), (candidate("code", "hash"), 1.0), (candidate("few", "hash"), 1.0)]
    candidates += [(candidate("owner", predicate="few = 3"), 1 / 7), (candidate("id", "brin"), 1.0)]
    ratios = {}
    with connection.cursor() as cursor:
        for statement in SETUP.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        (table,) = read_schema(connection).tables
        for index, share in candidates:
            cursor.execute(index.definition("built", concurrently=False))
            cursor.execute("SELECT pg_relation_size('built')")
            (real,) = cursor.fetchone() or (0,)
            cursor.execute("DROP INDEX built")
            ratios[index] = index_size(index, table, share).bytes / real
    connection.close()
    off = {
        index.definition("x", concurrently=False): ratio for index, ratio in ratios.items() if not 0.85 < ratio < 1.2
    }
    assert off == {}
    assert 0.96 < statistics.median(ratios.values()) < 1.04


def test_gin_and_gist_are_guessed_within_a_factor_of_four(database: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        for statement in SETUP.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        (table,) = read_schema(connection).tables
        tags = CandidateIndex("public", "things", "gin", (Key("tags"),))
        paths = CandidateIndex("public", "things", "gin", (Key("doc", operator_class="jsonb_path_ops"),))
        trigrams = CandidateIndex("public", "things", "gin", (Key("note", operator_class="gin_trgm_ops"),))
        for index in (tags, paths, trigrams):
            cursor.execute(index.definition("built", concurrently=False))
            cursor.execute("SELECT pg_relation_size('built')")
            (real,) = cursor.fetchone() or (0,)
            cursor.execute("DROP INDEX built")
            assert real / 4 < index_size(index, table).bytes < real * 4, index
    connection.close()


def test_an_empty_table_gives_an_empty_index(database: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE things (id integer)")
        cursor.execute("ANALYZE things")
    (table,) = read_schema(connection).tables
    connection.close()
    assert index_size(candidate("id"), table).bytes <= 2 * PAGE
    assert index_size(candidate("id"), table).height == 0
