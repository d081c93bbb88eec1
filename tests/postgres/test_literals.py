"""Literals leave a text in one sweep exactly where the tokens say they stand."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from queryproof.analyzer.postgres.literals import without_literals
from queryproof.analyzer.sql.tokens import tokenize

PIECES = [
    "a", "e", "E", "b", "x", "n", "u&", "U&", "'", "''", '"', '""', "\\", "\\'", "1", "0x1f", "0b01", "1.5", ".5", "1..2", "1e5",
    "1_000", "$1", "$", "$$", "$t$", "%s", "%(a)s", "%", ":name", "::", ":", "--", "/*", "*/", "-", "/", "*", ".", ",", "(", ")",
    "[", "]", "=", " ", "\n", "é", "a1", "t.c", "'s'", "E'\\''", "²", "١",
]  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("u&%(a)s1")
def test_one_sweep_gives_what_the_tokens_give(text: str) -> None:
    assert without_literals(text) == "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))
