"""A table of which one index helps a query, and what a run that tries indexes on it may leave behind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.plan import Plan
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.leftovers import TRIAL_PREFIX

THINGS = """
CREATE TABLE things (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, word text NOT NULL, filler text NOT NULL);
INSERT INTO things SELECT n, n % 5000, n % 3, md5(n::text), repeat('x', 100) FROM generate_series(1, 30000) n;
"""
GOOD = CandidateIndex("public", "things", "btree", (Key("a"),))
USELESS = CandidateIndex("public", "things", "btree", (Key("b"),))
USELESS_TOO = CandidateIndex("public", "things", "btree", (Key("b"), Key("word")))
WORD = CandidateIndex("public", "things", "btree", (Key("word"),))
TRIGRAM = CandidateIndex("public", "things", "gin", (Key("word", operator_class="gin_trgm_ops"),), extension="pg_trgm")
QUERY = "SELECT * FROM things WHERE a = 77"


def left_behind(root: Connection) -> list[str]:
    with root.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE starts_with(relname, %s)", (TRIAL_PREFIX,))
        found = [str(one) for (one,) in cursor.fetchall()]
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'")
        return found + [str(one) for (one,) in cursor.fetchall()]


def terminate(root: Connection) -> None:
    with root.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app' AND datname = 'measured'"
        )


def quiet(stage: str, items: Sequence[Any]) -> Iterator[Any]:
    return iter(items)


@dataclass
class ToldRuns:
    """Real runs, each of which a test may tell otherwise. change: (statement, plan as it was measured) → what is told of it."""

    explainer: Explainer
    change: Callable[[str, Plan], Plan] = lambda sql, plan: plan
    runs: int = 3

    def plan(self, sql: str) -> Plan:
        return self.explainer.plan(sql)

    def measure(self, sql: str) -> Plan:
        return self.change(sql, self.explainer.measure(sql, self.runs))

    def in_turns(self, sql: str, hidden: Sequence[Sequence[str]]) -> list[Plan]:
        return [self.change(sql, plan) for plan in self.explainer.measure_in_turns(sql, hidden, self.runs)]
