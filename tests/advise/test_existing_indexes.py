"""Existing indexes that can go, and those that have to stay."""

from dataclasses import replace

from queryproof.analyzer.advise.candidate_index import CandidateIndex, Key
from queryproof.analyzer.advise.selection import select_indexes
from queryproof.analyzer.advise.selection_types import Selection, WeightedQuery

from .shop import Shop

BY_PAGE = "SELECT filler FROM visits WHERE page = 7"
BY_AT = "SELECT filler FROM visits WHERE at = '2024-05-05'"
BY_WORD = "SELECT filler FROM visits WHERE word = 'w9'"


def gone(selection: Selection) -> dict[str, tuple[str, ...]]:
    return {one.name: one.replaced_by for one in selection.dropped}


def test_duplicates_prefixes_and_unused_indexes_can_go_and_what_protects_more_stays(shop: Shop) -> None:
    found = gone(shop.select(BY_PAGE, BY_AT, BY_WORD, "SELECT id FROM visits WHERE page = 5 ORDER BY id LIMIT 3"))
    assert found["visits_page_again"] == ("visits_page",)
    assert found["visits_at"] == ("visits_at_page",)
    assert found["visits_word_c"] == ()  # another collation: no duplicate, but nobody has used it
    assert not {"visits_page", "visits_word", "visits_buyer", "visits_code", "visits_pkey", "visits_needed"} & set(
        found
    )


def test_an_index_that_is_another_one_read_backwards_is_a_duplicate(shop: Shop) -> None:
    dropped = {
        one.name: one for one in shop.select('SELECT * FROM "Old Sales" ORDER BY "first name", id DESC LIMIT 3').dropped
    }
    assert dropped["old_up"].replaced_by == ("old_down",)
    assert dropped["old_up"].reason == "it is the same as old_down read backwards"
    assert "old_down" not in dropped
    assert dropped["old_up_first"].replaced_by == ()


def test_what_stands_in_for_an_index_that_goes_stays_itself(shop: Shop) -> None:
    found = gone(shop.select(BY_PAGE))
    for name in ("visits_filler", "visits_filler_again"):
        assert found[name] == ("visits_filler_id",)
    assert "visits_filler_id" not in found
    assert not {other for others in found.values() for other in others} & set(found)


def test_an_index_of_other_options_is_a_duplicate_only_where_they_are_of_its_upkeep(shop: Shop) -> None:
    found = gone(shop.select("SELECT * FROM notes WHERE id = 7"))
    assert found["notes_id_brin_again"] == ("notes_id_brin",)
    assert found["notes_id_brin_fine"] == ()


def test_what_foreign_keys_and_cluster_need_stays(shop: Shop) -> None:
    found = gone(shop.select("SELECT * FROM notes WHERE id = 7"))
    assert "notes_word" in found
    assert not {"notes_buyer", "notes_other", "notes_page"} & found.keys()


def test_an_index_that_was_scanned_by_others_stays(shop: Shop) -> None:
    table = next(table for table in shop.schema.tables if table.name == "visits")
    used = replace(
        table,
        indexes=tuple(replace(index, scans=9) if index.name == "visits_word_c" else index for index in table.indexes),
    )
    schema = replace(shop.schema, tables=(*(one for one in shop.schema.tables if one is not table), used))
    found = select_indexes([WeightedQuery("q", ((BY_WORD, 1.0),), 1.0)], [], shop.what_if, schema)
    assert "visits_word_c" not in gone(found)


def test_an_index_that_a_chosen_one_begins_with_is_replaced(shop: Shop) -> None:
    wide = CandidateIndex("public", "visits", "btree", (Key("word"), Key("at")))
    queries = [WeightedQuery("q", ((BY_WORD + " ORDER BY at LIMIT 1", 1.0),), 1.0)]
    found = select_indexes(queries, [wide], shop.what_if, shop.schema)
    assert [one.index for one in found.chosen] == [wide]
    assert gone(found)["visits_word"] == (found.chosen[0].name,)
