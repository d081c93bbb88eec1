"""What is not worth keeping up is not chosen: by what a query gains, by what all gain, and beside what else serves alike."""

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.selection_needed import FELT_COST, felt_members, needed_members
from queryproof.analyzer.advise.selection_search import Search
from queryproof.analyzer.advise.selection_types import Constraints, WeightedQuery
from queryproof.analyzer.advise.workload_costs import WorkloadCosts, members

from .conftest import shown
from .shop import Shop

MOST_DAYS = "SELECT sum(cents) FROM sales WHERE day > '2024-05-08'"
BY_DAY = "SELECT cents FROM sales WHERE day = '2024-05-05' ORDER BY cents LIMIT 40"


def test_an_index_by_which_no_query_gains_a_tenth_is_named_and_not_chosen(shop: Shop) -> None:
    found = shop.select(MOST_DAYS)
    assert (found.chosen, found.cost_after) == ((), found.cost_before)
    reasons = {one.what.replace('"', ""): one.reason for one in found.rejected}
    assert reasons["public.sales (day) INCLUDE (cents)"] == "by it no query would be planned a tenth cheaper"


def test_a_budget_that_is_there_to_be_used_is_used_for_it_all_the_same(shop: Shop) -> None:
    (one,) = shop.select(MOST_DAYS, constraints=Constraints(budget_bytes=2_200_000)).chosen
    assert shown(one.index) == "sales (day) INCLUDE (cents)"


def test_what_gains_a_tenth_for_one_query_of_many_is_chosen(shop: Shop) -> None:
    found = shop.select(
        MOST_DAYS, *(f"SELECT note FROM sales WHERE cents = {number}" for number in range(1, 5)), BY_DAY
    )
    assert {one.index.keys[0].column for one in found.chosen} == {"cents", "day"}


def searched(shop: Shop, queries: list[WeightedQuery], *indexes: CandidateIndex) -> tuple[Search, int]:
    """The search, and the set of all these indexes."""
    search = Search(WorkloadCosts(queries, shop.what_if, shop.schema), shop.schema, Constraints(), (), lambda *_: None)
    search.offer(indexes)
    return search, (1 << len(indexes)) - 1


def test_of_two_that_serve_alike_one_is_taken_out(shop: Shop) -> None:
    plain = CandidateIndex("public", "sales", "btree", (Key("id"),), predicate="state = 'open'")
    more = CandidateIndex("public", "sales", "btree", (Key("id"),), include=("state",), predicate="state = 'open'")
    search, both = searched(
        shop, [WeightedQuery("q", (("SELECT note FROM sales WHERE state = 'open'", 1.0),), 1.0)], plain, more
    )
    assert len(members(felt_members(search, both))) == 1


def saved(shop: Shop, text: str, one: CandidateIndex, other: CandidateIndex) -> float:
    """Units by which the other index makes the query cheaper; what they are depends on the rows that ANALYZE came upon."""
    search, _ = searched(shop, [WeightedQuery(text, ((text, 1.0),), 1.0)], one, other)
    return search.costs.price(0, 1).cost - search.costs.price(0, 2).cost


def test_few_units_are_worth_a_larger_index_only_where_they_are_saved_often(shop: Shop) -> None:
    short = CandidateIndex("public", "sales", "btree", (Key("day"),))
    wide = CandidateIndex("public", "sales", "btree", (Key("day"), Key("cents")))
    first = next(
        text
        for limit in range(30, 100)
        for text in [f"SELECT note FROM sales WHERE day = '2024-05-05' ORDER BY cents LIMIT {limit}"]
        if saved(shop, text, short, wide) < FELT_COST - 5
    )
    for calls, chosen in ((1.0, short), (1e5, wide)):
        texts = {first: calls, "SELECT count(*) FROM visits WHERE filler LIKE '%a'": 50.0}
        search, both = searched(
            shop, [WeightedQuery(one, ((one, 1.0),), often) for one, often in texts.items()], short, wide
        )
        assert search.costs.price(0, 1).cost > 1.1 * search.costs.price(0, 2).cost
        assert [search.costs.indexes[one] for one in members(needed_members(search, both))] == [chosen]
