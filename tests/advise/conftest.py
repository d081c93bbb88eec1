"""One database with every shape of data that the kinds of index are for, and the question asked of it in one line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.builder import Builder
from queryproof.analyzer.advise.candidate_index import CandidateIndex
from queryproof.analyzer.advise.candidates import candidates, obstacles, together
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.postgres.catalog import read_schema
from queryproof.analyzer.postgres.clone import HollowClone
from queryproof.analyzer.postgres.clone_source import read_source
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.schema import Schema
from queryproof.analyzer.sql.parse import analyse

from .shop import SHOP, Shop
from .things import THINGS

GAIN = 0.9
"""Of the cost before: what an index must at least bring it down to, in these tests."""
ALIKE = 1.05
"""Costs that differ by less count as equal: the smallest index then wins."""

SETUP = """
CREATE COLLATION words (provider = libc, locale = 'C.UTF-8');
CREATE TABLE people (
    id int PRIMARY KEY, email text NOT NULL, name text COLLATE words NOT NULL, city text, age int NOT NULL, score int NOT NULL,
    token varchar(64) NOT NULL, active boolean NOT NULL, status text NOT NULL, deleted_at timestamptz, erased_at timestamptz,
    created_at timestamptz NOT NULL, born date NOT NULL, data jsonb NOT NULL, raw json NOT NULL, tags text[] NOT NULL,
    body text NOT NULL, place point NOT NULL, during int4range NOT NULL, address inet NOT NULL, seen timestamp NOT NULL,
    code char(8) NOT NULL, big bigint NOT NULL, doc xml, filler text NOT NULL);
INSERT INTO people SELECT n, 'User' || n || '@example.org', md5(n::text), 'city' || n % 200, n % 80, (n * 7919) % 10007,
    md5(n::text) || md5((n + 1)::text), n % 200 = 0, CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 2 = 0 THEN 'done' ELSE 'open' END,
    CASE WHEN n % 20 <> 0 THEN now() - n * interval '1 minute' END, CASE WHEN n % 20 = 0 THEN now() END,
    timestamptz '2024-01-01' + n * interval '1 minute', date '1950-01-01' + n % 20000,
    jsonb_build_object('k', n, 'kind', CASE WHEN n % 500 = 0 THEN 'rare' ELSE 'plain' END)
        || CASE WHEN n % 500 = 0 THEN '{"flag": true}' ELSE '{}' END::jsonb,
    json_build_object('k', n), ARRAY['t' || n % 1000, 'u' || n % 7], 'word' || n || ' lorem ipsum ' || n % 13, point(n % 141, n / 141),
    int4range(n, n + 5), ('10.' || n % 200 || '.' || n % 250 || '.1')::inet, timestamp '2024-01-01' + n * interval '1 minute',
    'c' || n % 5000, n, NULL, repeat('x', 100) FROM generate_series(1, 20000) n;
CREATE TABLE orders (id int PRIMARY KEY, person_id int NOT NULL REFERENCES people, total int NOT NULL, note text, placed date NOT NULL);
INSERT INTO orders SELECT n, (n * 31) % 20000 + 1, (n * 7919) % 9973, repeat('y', 60), date '2020-01-01' + n / 30
    FROM generate_series(1, 40000) n;
CREATE TABLE small (id int PRIMARY KEY, a int, b text);
INSERT INTO small SELECT n, n % 10, 'b' FROM generate_series(1, 40) n;
CREATE TABLE keyed (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, c text NOT NULL, d int NOT NULL, filler text NOT NULL);
INSERT INTO keyed SELECT n, n % 4000, n % 3000, 'c' || n, n % 5, repeat('z', 80) FROM generate_series(1, 20000) n;
CREATE INDEX keyed_a_b ON keyed (a, b);
CREATE UNIQUE INDEX keyed_c ON keyed (c);
CREATE INDEX keyed_lower ON keyed (lower(c) text_pattern_ops);
CREATE INDEX keyed_b_part ON keyed (b) WHERE d = 3;
CREATE TABLE worded (id int PRIMARY KEY, a text NOT NULL, b text NOT NULL, c text NOT NULL, filler text NOT NULL);
INSERT INTO worded SELECT n, 'a' || n % 9000, 'b' || n, 'c' || n % 9000, repeat('z', 80) FROM generate_series(1, 20000) n;
CREATE INDEX worded_a ON worded (a COLLATE "POSIX");
CREATE UNIQUE INDEX worded_b ON worded (b COLLATE "POSIX");
CREATE INDEX worded_c ON worded (c text_pattern_ops);
CREATE INDEX worded_lower ON worded (lower(c) COLLATE "POSIX");
CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL, kind int NOT NULL, payload text NOT NULL);
INSERT INTO events SELECT n, timestamptz '2024-01-01' + n * interval '1 second', n % 50, repeat('e', 160) FROM generate_series(1, 60000) n;
CREATE TABLE parted (id int NOT NULL, day date NOT NULL, account int NOT NULL, filler text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
INSERT INTO parted SELECT n, date '2024-01-01' + n % 366, n % 5000, repeat('f', 80) FROM generate_series(1, 30000) n;
CREATE TABLE fresh (id int, a int, b text);
INSERT INTO fresh SELECT n, n, 'x' FROM generate_series(1, 5000) n;
CREATE DOMAIN handle AS text COLLATE words;
CREATE DOMAIN short_handle AS handle CHECK (length(value) < 40);
CREATE TABLE contacts (id int PRIMARY KEY, called short_handle NOT NULL, about handle NOT NULL, filler text NOT NULL);
INSERT INTO contacts SELECT n, md5(n::text), 'word' || n || ' of ' || md5(n::text), repeat('z', 80) FROM generate_series(1, 20000) n;
CREATE EXTENSION ltree;
CREATE TABLE shelves (id int PRIMARY KEY, path ltree NOT NULL, filler text NOT NULL);
INSERT INTO shelves SELECT n, ('top.l' || n % 50 || '.m' || n)::ltree, repeat('z', 200) FROM generate_series(1, 20000) n;
CREATE VIEW adults AS SELECT id, name, lower(email) AS mail, age FROM people WHERE age >= 18;
CREATE MATERIALIZED VIEW totals AS SELECT person_id, sum(total) AS total FROM orders GROUP BY person_id;
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Or""der" ("Id" int PRIMARY KEY, "Sel ect" int NOT NULL, "naïve;--" text NOT NULL, filler text NOT NULL);
INSERT INTO "Odd Schema"."Or""der" SELECT n, n % 5000, 'v' || n, repeat('q', 80) FROM generate_series(1, 20000) n;
CREATE TABLE "Odd Schema".people (id int PRIMARY KEY, nick text NOT NULL, filler text NOT NULL);
INSERT INTO "Odd Schema".people SELECT n, 'nick' || n, repeat('w', 80) FROM generate_series(1, 20000) n;
"""


@dataclass(slots=True)
class Advice:
    """What came of one statement: the indexes that the planner really uses and that lower its cost, the best first."""

    helpful: list[tuple[CandidateIndex, float]]
    tried: list[str]
    refused: list[str]
    reasons: str = ""
    together: list[tuple[CandidateIndex, ...]] = field(default_factory=list)

    @property
    def best(self) -> str:
        return shown(self.helpful[0][0]) if self.helpful else ""


def shown(index: CandidateIndex) -> str:
    """`people USING gin (tags) WHERE …`, without the quotes that are needless here."""
    return index.target("", index.table).removeprefix('"".').replace('"', "")


@dataclass(slots=True)
class Advisor:
    """Asks the project for candidates, builds each for real and lets the real planner say which one it uses."""

    connection: Connection
    builder: Builder
    schema: Schema

    def cost(self, sql: str) -> tuple[float, set[str]]:
        with self.connection.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
            (plan,) = cursor.fetchone() or ([],)
        nodes, used = [plan[0]["Plan"]], set()
        for node in nodes:
            nodes += node.get("Plans", [])
            used |= {node["Index Name"]} if "Index Name" in node else set()
        return plan[0]["Plan"]["Total Cost"], used

    def ask(self, sql: str) -> Advice:
        statement = analyse(sql, self.schema)
        if statement.problem:
            return Advice([], [], [], statement.problem)
        before, _ = self.cost(sql)
        found: dict[CandidateIndex, None] = {}
        reasons: list[str] = []
        bundles: list[tuple[CandidateIndex, ...]] = []
        for scan in statement.scans:
            table = self.schema.table(scan.table, scan.schema)
            if table is not None:
                found |= dict.fromkeys(candidates(scan, table, self.schema))
                reasons += [reason for _, reason in obstacles(scan, table, self.schema)]
                bundles += together(scan, table, self.schema)
        helpful: list[tuple[CandidateIndex, float, int]] = []
        refused = []
        existing = {index.name for table in self.schema.tables for index in table.indexes}
        for index in found:
            try:
                with self.builder.built(index) as built:
                    cost, used = self.cost(sql)
            except StatementError as error:
                refused.append(f"{shown(index)}: {error}")
                continue
            if used - existing and cost <= GAIN * before:
                helpful.append((index, cost, built.size_bytes))
        least = min((cost for _, cost, _ in helpful), default=0.0)
        helpful.sort(key=lambda one: (one[1] > ALIKE * least, one[2] if one[1] <= ALIKE * least else one[1]))
        return Advice([one[:2] for one in helpful], [shown(one) for one in found], refused, "; ".join(reasons), bundles)


@pytest.fixture(scope="session")
def advisor(server: Server) -> Iterator[Advisor]:
    server.create_database("advice")
    connection = connect(server.url("advice", "postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
        for table in (
            "people",
            "orders",
            "small",
            "keyed",
            "worded",
            "events",
            "contacts",
            "shelves",
            "parted",
            "totals",
            '"Odd Schema"."Or""der"',
            '"Odd Schema".people',
        ):
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("SET random_page_cost = 1.1; SET default_text_search_config = 'pg_catalog.english'")
    yield Advisor(connection, Builder(connection), read_schema(connection))
    connection.close()


@pytest.fixture(scope="session")
def things(server: Server, fill: Callable[[str, str], None], run_sql: Callable[..., None]) -> str:
    """Name of a database in which `app` may make extensions, and pg_trgm is not there."""
    fill("measured", THINGS)
    run_sql(server.url("measured", "postgres"), "DROP EXTENSION pg_trgm", "GRANT CREATE ON DATABASE measured TO app")
    return "measured"


@pytest.fixture
def things_root(server: Server, things: str) -> Iterator[Connection]:
    connection = connect(server.url(things, "postgres"))
    yield connection
    connection.close()


@pytest.fixture
def builder(server: Server, things: str) -> Iterator[Builder]:
    url = server.url(things, "app")
    with Builder(connect(url), reconnect=lambda: connect(url)) as one:
        yield one


@pytest.fixture
def explainer(server: Server, things: str) -> Explainer:
    url = server.url(things, "app")
    return Explainer(connect(url), analyze=True, reconnect=lambda: connect(url))


__all__ = ["Advice", "Advisor", "shown"]


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest, server: Server, run_sql: Callable[..., None]) -> Iterator[Shop]:
    """A clone of the shop's database, for each file its own: a clone learns of the indexes that it is asked about."""
    name = str(request.module.__name__).rpartition(".")[2]
    server.create_database(name)
    run_sql(server.url(name, "app"), SHOP, "ANALYZE", "VACUUM sales")
    with HollowClone(read_source(server.url(name, "reader"))) as clone:
        yield Shop(CloneWhatIf(clone), clone.schema())
