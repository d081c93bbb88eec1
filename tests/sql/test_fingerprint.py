"""One text for one statement, no literal in it, whatever the input."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queryproof.analyzer.sql.fingerprint import fingerprint, normalize
from queryproof.analyzer.sql.tokens import split_statements, tokenize

CANARY = "c4n4ry"

PAIRS = [
    ("SELECT * FROM t WHERE id = 1", "select * from T where id=42"),
    ("SELECT a FROM t WHERE id = %(id_1)s", "SELECT a FROM t WHERE id = $1"),
    ("SELECT a FROM t WHERE id = %s", "SELECT a FROM t WHERE id = :id"),
    ("SELECT a FROM t WHERE id IN (1, 2, 3)", "SELECT a FROM t WHERE id IN ($1 /*, ... */)"),
    ("SELECT a FROM t WHERE id IN (%(a)s::VARCHAR, %(b)s::VARCHAR)", "SELECT a FROM t WHERE id IN ($1::varchar)"),
    ("INSERT INTO t (a) VALUES (1), (2)", "INSERT INTO t (a) VALUES ($1)"),
    ("SELECT 'it''s'", r"SELECT E'it\'s'"),
    ("SELECT $tag$ a 'b' $tag$", "SELECT $$x$$"),
    ("SELECT /* a /* nested */ b */ 1 -- end", "SELECT 1"),
    ("UPDATE t SET a=%(a)s, b=%s WHERE id=%(t id)s", "UPDATE t SET a = 1, b = 2 WHERE id = 3"),
    ("SELECT a FROM t WHERE b = -1", "SELECT a FROM t WHERE b = $1"),
    ("SELECT a FROM t WHERE b = true", "SELECT a FROM t WHERE b = $1"),
    ("SELECT count (*) FROM t;", "SELECT count(*)\nFROM t"),
    ("SELECT a FROM t WHERE ts > now() - interval '1 day'", "SELECT a FROM t WHERE ts > now() - interval $1"),
]

CAST_APART = [
    ("SELECT a FROM t WHERE d = %(d)s", "SELECT a FROM t WHERE d = '2026-01-01'::date"),
    ("SELECT a FROM t WHERE d = $1::DATE AND e = $2", "SELECT a FROM t WHERE d = $1 AND e = $2::character varying(20)"),
    (
        "SELECT a FROM t WHERE d > $1::TIMESTAMP WITH TIME ZONE",
        "SELECT a FROM t WHERE d > $1::timestamp(3) without time zone",
    ),
    ("SELECT a FROM t WHERE d > $1::timestamptz(6)", "SELECT a FROM t WHERE d > $1::pg_catalog.timestamptz"),
    ("SELECT a FROM t WHERE b = ANY ($1::VARCHAR[])", "SELECT a FROM t WHERE b = ANY ($1::uuid[][])"),
    ("SELECT $1::double precision + b FROM t", "SELECT $1 + b FROM t"),
    ("SELECT EXTRACT(year FROM d) FROM t", "SELECT EXTRACT($1 FROM d) FROM t"),
]
"""Spellings of one statement by different drivers and by pg_stat_statements."""

APART = [
    ("SELECT b::text FROM t", "SELECT b FROM t"),
    ("SELECT a FROM t WHERE b = $1::text || c", "SELECT a FROM t WHERE b = $1"),
    ("SELECT $1::int FROM t", "SELECT $1 FROM u"),
    ("SELECT $1::", "SELECT $1 FROM t"),
    ("SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id IN (1)"),
    ("SELECT a FROM t WHERE a IS NULL", "SELECT a FROM t WHERE a IS NOT NULL"),
    ('SELECT "A" FROM t', "SELECT a FROM t"),
    ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b > 1"),
    ("SELECT a FROM t LIMIT 1", "SELECT a FROM t LIMIT 1 OFFSET 5"),
    ("SELECT a - 1 FROM t", "SELECT a FROM t"),
    ("SELECT a FROM s1.t", "SELECT a FROM s2.t"),
]


def test_the_length_of_a_type_is_no_literal() -> None:
    sql = "select cast(a as numeric(10, 2)), b::character varying(20), c::timestamp(3) with time zone, f($1), cast(g($2) as int)"
    assert normalize(sql.replace("$1", "10").replace("$2", "20")) == sql
    assert normalize("CREATE TABLE t AS SELECT (5)") == "create table t as select ($1)"
    assert normalize("SELECT a::numeric(12345678)") == "select a::numeric($1)"


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_spellings_of_one_statement_are_one_group(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(("one", "other"), CAST_APART)
def test_casts_of_values_do_not_make_another_statement(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)
    assert "::" not in one or "::" in normalize(one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_different_statements_stay_apart(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "literal",
    [
        f"'{CANARY}'", f"E'\\'{CANARY}'", f"$${CANARY}$$", f"$x${CANARY}$x$", f"N'{CANARY}'", f"U&'{CANARY}'",
        f"'{CANARY}", f"$x${CANARY}", f"E'{CANARY}\\", f"'''{CANARY}'", f"interval '{CANARY}'", f"'a' '{CANARY}'",
        f"'{{\"k\": \"{CANARY}\"}}'::jsonb", f"/* {CANARY} */ 1", f"1 -- {CANARY}", f"/* {CANARY}",
    ],
)  # fmt: skip
def test_no_literal_survives(literal: str) -> None:
    for sql in (f"SELECT {literal}", f"SELECT a FROM t WHERE b = {literal}", f"INSERT INTO t VALUES (1, {literal})"):
        assert CANARY not in normalize(sql)


def test_copy_data_is_not_taken_for_sql() -> None:
    assert CANARY not in normalize(f"COPY t FROM stdin;\n1\t{CANARY}\n\\.")


sql_like = st.lists(
    st.one_of(
        st.sampled_from(
            ["select", "FROM", " t ", "'", "''", '"', "$$", "$a$", "$1", "%s", "%(x)s", ":n", "::", "/*", "*/", "--", "\n",
             "E'", "\\", "(", ")", "[", "]", ",", "in", "values", "array", "-", "+", "1", ".5", "1e5", "0x1F", "null", "true",
             "is", "not", ";", "?", "@>", "\x00", "\ud800", "\ufeff", "\u202e", "é", "a", "b "]
        ),
        st.text(max_size=4),
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(sql_like)
@example("-\x00")
def test_a_normalised_text_is_its_own_normal_form(sql: str) -> None:
    once = normalize(sql)
    assert normalize(once) == once
    assert fingerprint(once) == fingerprint(sql)


@given(sql_like)
def test_tokens_joined_give_the_text_back(sql: str) -> None:
    assert "".join(token.text for token in tokenize(sql)) == sql
    split_statements(sql)


@given(st.text(alphabet=st.characters(blacklist_characters="'\\"), max_size=20))
def test_any_string_gives_the_same_group_as_any_other(text: str) -> None:
    assert fingerprint(f"SELECT a FROM t WHERE b = '{text}' AND c") == fingerprint(
        "SELECT a FROM t WHERE b = 'x' AND c"
    )


def test_long_texts_are_read_in_linear_time() -> None:
    for piece in ("'", "(", "$a$", "/*", "a,", "\\", "E'\\"):
        assert isinstance(fingerprint(piece * (200_000 // len(piece))), str)


def test_statements_are_split_outside_of_literals_only() -> None:
    assert split_statements("select ';'; select $$;$$ /* ; */;; -- ;") == ["select ';'", "select $$;$$ /* ; */"]
