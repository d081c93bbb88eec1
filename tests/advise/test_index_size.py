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


PAPERS = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
SELECT setseed(0.5);
CREATE TABLE papers AS SELECT n AS id, ARRAY['t' || n % 1000, 'u' || n % 7] AS tags, ARRAY[n % 50, n % 51, n % 53] AS few,
    ARRAY[n, n + 1, n * 7] AS many, jsonb_build_object('k', n, 'kind', CASE WHEN n % 500 = 0 THEN 'rare' ELSE 'plain' END) AS doc,
    jsonb_build_object('user', n % 3000, 'name', 'name' || n % 3000, 'tags', jsonb_build_array('a' || n % 40, 'b' || n % 60),
        'city', 'city' || n % 300, 'amount', (random() * 10000)::int, 'on', (date '2020-01-01' + n % 900)::text) AS wide,
    'word' || n || ' lorem ipsum ' || n % 13 AS body, 'user' || n || '@example' || n % 20 || '.org' AS email, md5(n::text) AS hex,
    (SELECT string_agg(substr(md5(((random() * random() * 4000)::int)::text), 1, 3 + g % 5), ' ')
        FROM generate_series(1, 20 + n % 40) g) AS essay, timestamp '2024-01-01' + n * interval '1 minute' AS at, 'User Name ' || n AS "full name", int4range(n, n + 5) AS span,
    tsrange(timestamp '2024-01-01' + n * interval '1 hour', timestamp '2024-01-02' + n * interval '1 hour') AS period,
    point(random(), random()) AS spot, box(point(n % 100, n / 100), point(n % 100 + 1, n / 100 + 1)) AS area,
    polygon(circle(point(random() * 100, random() * 100), 1)) AS shape,
    jsonb_build_object('color', 'c' || n % 4, 'size', n % 12, 'made', jsonb_build_object('by', 'm' || n * 7 % 50,
        'parts', jsonb_build_array(jsonb_build_object('no', n % 7), jsonb_build_object('no', n % 11)))) AS goods,
    (SELECT to_tsvector('simple', string_agg('word' || (random() * random() * 400)::int, ' ')) FROM generate_series(1, 8 + n % 10)) AS titles,
    (SELECT to_tsvector('simple', string_agg('word' || (random() * random() * 1000)::int, ' ')) FROM generate_series(1, 90 + n % 60)) AS long,
    ('10.' || n % 200 || '.' || n % 250 || '.1')::inet AS address
FROM generate_series(1, 8000) n;
ALTER TABLE papers ADD tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', essay)) STORED;
VACUUM ANALYZE papers;
"""
GUESSED = (
    ("gin", "tags", ""), ("gin", "few", ""), ("gin", "many", ""), ("gin", "doc", "jsonb_path_ops"), ("gin", "doc", "jsonb_ops"),
    ("gin", "goods", "jsonb_path_ops"), ("gin", "goods", "jsonb_ops"), ("gin", "titles", ""), ("gin", "long", ""),
    ("gin", "wide", "jsonb_path_ops"), ("gin", "wide", "jsonb_ops"), ("gin", "to_tsvector('english', body)", ""),
    ("gin", "to_tsvector('english', essay)", ""), ("gin", "tsv", ""), ("gin", "body", "gin_trgm_ops"),
    ("gin", "essay", "gin_trgm_ops"), ("gin", "email", "gin_trgm_ops"), ("gin", "hex", "gin_trgm_ops"),
    ("gin", "lower(email)", "gin_trgm_ops"), ("btree", "lower(email)", ""), ("btree", "doc ->> 'k'", ""),
    ("btree", "wide ->> 'name'", ""), ("btree", "lower(essay)", ""), ("btree", "length(essay)", ""),
    ("btree", "date_trunc('day', at)", ""), ("btree", "(doc ->> 'k')::int4", ""),
    ("btree", 'lower("full name")', ""), ("gist", "span", ""), ("spgist", "span", ""), ("gist", "period", ""),
    ("spgist", "period", ""), ("gist", "spot", ""), ("spgist", "spot", ""), ("gist", "area", ""), ("spgist", "area", ""),
    ("gist", "address", "inet_ops"), ("spgist", "address", ""), ("gist", "shape", ""), ("gist", "hex", "gist_trgm_ops"),
    ("gist", "essay", "gist_trgm_ops"), ("btree", "(wide ->> 'user')::int4", ""), ("btree", "(wide ->> 'amount')::int8", ""),
    ("btree", "wide['user']", ""), ("gist", "tsrange(at, at + '1 hour')", ""), ("gist", "int4range(id, id + 9)", ""),
)  # fmt: skip


def test_what_has_no_statistics_is_guessed_within_a_factor_of_two(database: str) -> None:
    connection = connect(database)
    off: dict[tuple[str, str], float] = {}
    with connection.cursor() as cursor:
        for statement in PAPERS.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        (table,) = read_schema(connection).tables
        for method, text, class_ in GUESSED:
            plain = text.isidentifier()
            key = Key(text if plain else None, "" if plain else text, operator_class=class_ or None)
            index = CandidateIndex("public", "papers", method, (key,))
            cursor.execute(index.definition("built", concurrently=False))
            cursor.execute("SELECT pg_relation_size('built')")
            (real,) = cursor.fetchone() or (0,)
            cursor.execute("DROP INDEX built")
            ratio = index_size(index, table).bytes / real
            if not 0.5 < ratio < 2:
                off[text, class_] = ratio
    connection.close()
    assert off == {}


def test_an_empty_table_gives_an_empty_index(database: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE things (id integer)")
        cursor.execute("ANALYZE things")
    (table,) = read_schema(connection).tables
    connection.close()
    assert index_size(candidate("id"), table).bytes <= 2 * PAGE
    assert index_size(candidate("id"), table).height == 0
