"""GiST on ranges: 18 sorts them before it builds, earlier majors split pages."""

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.index_size import index_size
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.connect import connect

SETUP = """
CREATE TABLE stays AS SELECT int4range(k, k + 5) AS beds, tsrange(timestamp '2024-01-01' + k * interval '1 hour',
    timestamp '2024-01-02' + k * interval '1 hour') AS period FROM generate_series(1, 40000) k;
CREATE TABLE mixed_stays AS SELECT * FROM stays ORDER BY md5(beds::text);
ANALYZE stays;
ANALYZE mixed_stays;
"""


def test_ranges_are_as_large_as_this_major_builds_them(major_database: str) -> None:
    connection = connect(major_database)
    off = {}
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
        schema = read_schema(connection)
        for table in schema.tables:
            for name in ("beds", "period"):
                index = CandidateIndex("public", table.name, "gist", (Key(name),))
                cursor.execute(index.definition("built", concurrently=False))
                cursor.execute("SELECT pg_relation_size('built')")
                (real,) = cursor.fetchone() or (0,)
                cursor.execute("DROP INDEX built")
                ratio = index_size(index, table, major=schema.server_version // 10000).bytes / real
                if not 0.75 < ratio < 1.35:
                    off[table.name, name] = ratio
    connection.close()
    assert off == {}
