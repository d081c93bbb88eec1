"""Selection on a hollow clone of a small shop: what it chooses, what it leaves alone, and what it keeps to."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import pytest

from queryproof.analyzer.advise.banned import Banned
from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.candidates_merge import merged
from queryproof.analyzer.advise.clone_what_if import CloneWhatIf
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_search import Search
from queryproof.analyzer.advise.selection_types import Constraints, TableWrites, WeightedQuery
from queryproof.analyzer.advise.set_search import SetSearch
from queryproof.analyzer.advise.what_if import Price
from queryproof.analyzer.advise.workload_costs import IndexSet, WorkloadCosts
from queryproof.analyzer.errors import StatementError

from .conftest import shown
from .shop import Shop, pool

BY_PAGE = "SELECT filler FROM visits WHERE page = 7"
BY_AT = "SELECT filler FROM visits WHERE at = '2024-05-05'"
BY_WORD = "SELECT filler FROM visits WHERE word = 'w9'"
BY_BUYER = "SELECT note FROM sales WHERE buyer = 77"
BY_DAY = "SELECT sum(cents) FROM sales WHERE day = '2024-05-05'"
BY_EMAIL = "SELECT id FROM buyers WHERE email = 'b99'"
OPEN = "SELECT id, note FROM sales WHERE state = 'open' ORDER BY day LIMIT 50"


def test_each_query_gets_what_serves_it(shop: Shop) -> None:
    found = shop.select(BY_BUYER, BY_EMAIL)
    assert {one.index.keys for one in found.chosen} == {(Key("buyer"),), (Key("email"),)}
    assert found.cost_after < 0.05 * found.cost_before
    assert {gain.fingerprint: len(gain.uses) for gain in found.gains} == {"q0": 1, "q1": 1}
    assert sum(one.marginal for one in found.chosen) > 0


@pytest.mark.parametrize(
    "text", [BY_BUYER.upper(), 'SELECT "first name" FROM "Old Sales" WHERE "the ""buyer"" id" = 7']
)
def test_names_are_found_in_capitals_and_in_quotes(shop: Shop, text: str) -> None:
    assert len(shop.select(text).chosen) == 1


def test_nothing_helps_a_query_by_its_key(shop: Shop) -> None:
    assert shop.select("SELECT * FROM sales WHERE id = 5").chosen == ()


def test_a_statement_that_cannot_be_planned_is_named_and_the_rest_goes_on(shop: Shop) -> None:
    found = shop.select("SELECT missing FROM nowhere", BY_BUYER)
    assert [one.what for one in found.unplanned] == ["q0"]
    assert len(found.chosen) == 1


def test_a_text_that_cannot_be_planned_under_some_index_is_named_and_the_rest_goes_on(shop: Shop) -> None:
    class Fragile(CloneWhatIf):
        def price(
            self,
            sql: str,
            handles: Collection[str] = (),
            without: Collection[str] = (),
            indifferent: Collection[str] = (),
        ) -> Price:
            if sql == BY_DAY and handles:
                raise StatementError("PostgreSQL says XX001")
            return super().price(sql, handles, without, indifferent)

    fragile = Fragile(shop.what_if._clone)
    found = Shop(fragile, shop.schema).select(BY_DAY, BY_BUYER)
    assert [one.index.keys for one in found.chosen] == [(Key("buyer"),)]
    assert [one.what for one in found.unplanned] == ["q0"]
    assert "XX001" in found.unplanned[0].reason


def test_a_query_that_costs_nearly_all_hides_no_other(shop: Shop) -> None:
    texts = {BY_EMAIL: 50_000.0, BY_BUYER: 1.0, BY_DAY: 1.0}
    queries = [WeightedQuery(text, ((text, 1.0),), calls) for text, calls in texts.items()]
    found = select_indexes(queries, pool(queries, shop.schema).indexes, shop.what_if, shop.schema)
    assert {one.index.keys[0].column for one in found.chosen} == {"email", "buyer", "day"}


def test_a_budget_is_kept(shop: Shop) -> None:
    free = shop.select(BY_BUYER, BY_DAY, BY_EMAIL, OPEN)
    size = sum(one.size_bytes for one in free.chosen)
    tight = shop.select(BY_BUYER, BY_DAY, BY_EMAIL, OPEN, constraints=Constraints(budget_bytes=size // 2))
    assert 0 < sum(one.size_bytes for one in tight.chosen) <= size // 2
    assert free.cost_after < tight.cost_after < free.cost_before


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(max_indexes=1),
        Constraints(max_per_table=1),
        Constraints(max_width=1),
        Constraints(budget_bytes=2_000_000, max_indexes=2),
        Constraints(budget_bytes=2_000_000, max_per_table=1),
    ],
    ids=repr,
)
def test_limits_are_kept(shop: Shop, constraints: Constraints) -> None:
    found = shop.select(BY_BUYER, BY_EMAIL, OPEN, BY_DAY, constraints=constraints)
    assert found.chosen
    assert len(found.chosen) <= (constraints.max_indexes or 99)
    tables = [one.index.table for one in found.chosen]
    assert all(tables.count(table) <= (constraints.max_per_table or 99) for table in tables)
    assert all(len(one.index.keys) + len(one.index.include) <= (constraints.max_width or 99) for one in found.chosen)


def test_no_query_is_planned_beyond_the_allowed_factor(shop: Shop) -> None:
    every = "SELECT count(*), min(note) FROM sales WHERE buyer > 0"
    found = shop.select(BY_BUYER, every, constraints=Constraints(max_slowdown=0.9))
    assert found.chosen == ()  # no index brings the second one below nine tenths
    assert any("query q1 would be planned 1.00 times as costly" in one.reason for one in found.rejected)
    assert shop.select(BY_BUYER, every).chosen


def test_the_curve_falls_with_the_budget(shop: Shop) -> None:
    queries = [WeightedQuery(text, ((text, 1.0),), 10.0) for text in (BY_BUYER, BY_DAY, BY_EMAIL)]
    found = pool(queries, shop.schema)
    budgets = (10_000, 1_500_000, 50_000_000)
    curve = select_indexes(queries, found.indexes, shop.what_if, shop.schema, budgets=budgets).curve
    assert [point.budget_bytes for point in curve] == list(budgets)
    assert all(point.size_bytes <= point.budget_bytes for point in curve)
    assert curve[0].cost == 1.0 > curve[1].cost > curve[2].cost


def test_the_same_input_gives_the_same_set(shop: Shop) -> None:
    assert shop.select(BY_BUYER, BY_DAY, OPEN) == shop.select(BY_BUYER, BY_DAY, OPEN)


def test_writes_outweigh_a_small_gain(shop: Shop) -> None:
    quiet = shop.select(BY_DAY)
    busy = shop.select(BY_DAY, writes=(TableWrites("public", "sales", 1e9, 0, 0, 0),))
    assert quiet.chosen
    assert not busy.chosen


def test_no_time_gives_an_incomplete_answer(shop: Shop) -> None:
    found = shop.select(BY_BUYER, constraints=Constraints(max_seconds=0))
    assert not found.complete
    assert found.cost_after == found.cost_before


def test_a_larger_budget_never_buys_less_though_time_runs_out(shop: Shop) -> None:
    queries = [WeightedQuery(text, ((text, 1.0),), 10.0) for text in (BY_BUYER, BY_DAY, BY_EMAIL)]
    found = pool(queries, shop.schema)
    for seconds in (0.05, 0.1, 0.2, 0.4):
        selection = select_indexes(
            queries,
            found.indexes,
            shop.what_if,
            shop.schema,
            Constraints(max_seconds=seconds),
            budgets=[10**6, 10**7, 10**8],
        )
        costs = [point.cost for point in selection.curve]
        assert costs == sorted(costs, reverse=True)
        assert costs[-1] <= selection.cost_after / selection.cost_before


def test_a_better_set_found_under_another_budget_is_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [WeightedQuery("q", ((BY_BUYER, 1.0),), 1.0)]
    best = Search.best
    monkeypatch.setattr(Search, "best", lambda self, budget: 0 if budget in (None, 10**9) else best(self, budget))
    for constraints in (Constraints(), Constraints(budget_bytes=10**9)):
        found = select_indexes(
            queries, pool(queries, shop.schema).indexes, shop.what_if, shop.schema, constraints, budgets=[10**8, 10**9]
        )
        assert found.chosen
        assert found.curve[0].cost == found.curve[1].cost == found.cost_after / found.cost_before


def test_a_later_search_looks_beside_the_set_of_the_earlier_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [WeightedQuery(text, ((text, 1.0),), 1.0) for text in (BY_BUYER, BY_DAY)]
    found = pool(queries, shop.schema)
    costs = WorkloadCosts(queries, shop.what_if, shop.schema)
    first = select_indexes(queries, found.indexes, shop.what_if, shop.schema, costs=costs)
    started: list[IndexSet] = []
    best = SetSearch.best

    def seen(self: SetSearch, starts: Iterable[IndexSet], *, relaxed: bool) -> IndexSet:
        started.extend(kept := list(starts))
        return best(self, kept, relaxed=relaxed)

    monkeypatch.setattr(SetSearch, "best", seen)
    banned, *rest = [one.index for one in first.chosen]
    again = select_indexes(
        queries, found.indexes, shop.what_if, shop.schema, costs=costs, banned=Banned([banned]), start=[banned, *rest]
    )
    assert costs.numbered(rest) in started
    assert banned not in {one.index for one in again.chosen}


def test_the_age_of_the_counters_is_told(shop: Shop) -> None:
    for days, told in ((None, "since the statistics were reset"), (0.05, "1.2 hours"), (40.2, "in the 40 days")):
        schema = replace(shop.schema, counted_days=days)
        found = select_indexes([WeightedQuery("q", ((BY_WORD, 1.0),), 1.0)], [], shop.what_if, schema)
        assert any(told in one.reason for one in found.dropped)


def test_an_index_that_stands_already_is_not_offered_again(shop: Shop) -> None:
    again = CandidateIndex("public", "sales", "btree", (Key("id"),))
    queries = [WeightedQuery("q", (("SELECT count(*) FROM sales WHERE id < 500", 1.0),), 1.0)]
    found = select_indexes(queries, [again], shop.what_if, shop.schema)
    assert found.chosen == ()


def test_a_covering_copy_of_a_key_is_chosen_only_where_the_table_is_not_visited(shop: Shop) -> None:
    text = "SELECT id, cents FROM sales WHERE id BETWEEN 100 AND 900"
    found = shop.select(text)
    assert [(one.index.keys, one.index.include) for one in found.chosen] == [((Key("id"),), ("cents",))]
    assert found.cost_after < 0.7 * found.cost_before
    handle = shop.what_if.add(found.chosen[0].index)
    assert shop.what_if.plan(text, [handle]).root.type == "Index Only Scan"
    # Every column; one row; and a table that no VACUUM has seen, so that its rows are visited anyway.
    for tempting in (
        "SELECT * FROM sales WHERE id BETWEEN 100 AND 900",
        "SELECT cents FROM sales WHERE id = 77",
        "SELECT id, page FROM visits WHERE id BETWEEN 100 AND 900",
    ):
        assert shop.select(tempting).chosen == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT * FROM sales WHERE state = 'open'", "sales (id) WHERE state = 'open'"),
        ("SELECT note FROM sales WHERE state = 'open'", "sales (id) WHERE state = 'open'"),
        ("SELECT * FROM sales WHERE state = 'open' ORDER BY day LIMIT 20", "sales (day) WHERE state = 'open'"),
        ("SELECT * FROM sales WHERE state = 'open' AND cents = 200", "sales (cents) WHERE state = 'open'"),
    ],
)
def test_of_indexes_that_serve_alike_the_much_smaller_one_is_chosen(shop: Shop, text: str, wanted: str) -> None:
    for plenty in (Constraints(), Constraints(budget_bytes=1 << 40)):
        assert [shown(one.index) for one in shop.select(text, constraints=plenty).chosen] == [wanted]


def test_a_smaller_index_that_a_query_would_feel_does_not_take_the_place_of_a_larger_one(shop: Shop) -> None:
    texts = ("SELECT * FROM sales WHERE state = 'open' AND cents = 200", "SELECT * FROM sales WHERE cents = 200")
    assert "sales (cents)" in {shown(one.index) for one in shop.select(*texts).chosen}


def test_rows_that_a_partial_index_leaves_out_cost_it_no_writes(shop: Shop) -> None:
    whole = CandidateIndex("public", "sales", "btree", (Key("day"),))
    part = replace(whole, predicate="state = 'open'")
    costs = WorkloadCosts([WeightedQuery("q", ((OPEN, 1.0),), 1.0)], shop.what_if, shop.schema)
    search = Search(costs, shop.schema, Constraints(), [TableWrites("public", "sales", 1e6, 0, 0, 0)], lambda *_: None)
    of_whole, of_part = (search.write_cost(number) for one in (whole, part) if (number := costs.add(one)) is not None)
    assert 0 < of_part < of_whole / 20


def test_no_index_is_chosen_beside_one_that_begins_with_its_keys_for_next_to_nothing(shop: Shop) -> None:
    by_cents = "SELECT count(*) FROM sales WHERE cents = 77"
    by_both = "SELECT id FROM sales WHERE cents = 77 AND state = 'done' ORDER BY id LIMIT 3"
    selection = shop.select(by_cents, by_both)
    (one,) = selection.chosen
    assert one.index.keys[0].column == "cents"
    assert set(one.serves) == {"q0", "q1"}
    assert all(gain.cost_after < gain.cost_before / 10 for gain in selection.gains)


def test_one_index_takes_the_place_of_two_when_both_do_not_fit(shop: Shop) -> None:
    texts = (
        "SELECT sum(cents) FROM sales WHERE day = '2024-05-05'",
        "SELECT count(state) FROM sales WHERE day = '2024-06-05'",
    )
    apart = shop.select(*texts)
    assert {one.index.include for one in apart.chosen} == {("cents",), ("state",)}
    budget = sum(one.size_bytes for one in apart.chosen) * 7 // 10
    together = shop.select(*texts, constraints=Constraints(budget_bytes=budget))
    assert [(one.index.keys, set(one.index.include)) for one in together.chosen] == [
        ((Key("day"),), {"cents", "state"})
    ]
    assert together.cost_after < 1.1 * apart.cost_after


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CandidateIndex("public", "sales", "hash", (Key("buyer"),)), CandidateIndex("public", "sales", "btree", (Key("day"),))),
        (CandidateIndex("public", "sales", "btree", (Key("buyer"),)), CandidateIndex("public", "visits", "btree", (Key("at"),))),
        (CandidateIndex("public", "sales", "btree", (Key("buyer"),), unique=True), CandidateIndex("public", "sales", "btree", (Key("day"),))),
        (CandidateIndex("public", "sales", "btree", (Key("buyer"),)), CandidateIndex("public", "sales", "btree", (Key("day"),), predicate="cents > 5")),
        (CandidateIndex("public", "sales", "btree", (Key("buyer"), Key("day"))), CandidateIndex("public", "sales", "btree", (Key("buyer"),))),
    ],
)  # fmt: skip
def test_what_cannot_be_one_index_is_not_merged(one: CandidateIndex, other: CandidateIndex) -> None:
    assert merged(one, other) is None


def test_a_merge_carries_what_both_carry() -> None:
    one = CandidateIndex("public", "sales", "btree", (Key("buyer"), Key("day", descending=True)), include=("note",))
    other = CandidateIndex("public", "sales", "btree", (Key("day"), Key("state")), include=("cents", "buyer"))
    assert merged(one, other) == CandidateIndex(
        "public", "sales", "btree", (Key("buyer"), Key("day", descending=True), Key("state")), include=("note", "cents")
    )
