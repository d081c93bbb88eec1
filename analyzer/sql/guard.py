"""What may be done with a statement: decided on its tokens alone, before any parser or server sees it."""

from dataclasses import dataclass

from .tokens import Token, significant, split_statements

READS = frozenset(("select", "values", "table", "with"))
WRITES = frozenset(("insert", "update", "delete", "merge"))
LOCKS = frozenset(("update", "share", "no", "key"))
NOT_FUNCTIONS = frozenset(
    "select from where and or not in any all some exists values as on using over filter within group order by having "
    "limit offset union except intersect with case when then else end between like ilike is array row rows into only "
    "join lateral cast extract distinct returning set default recursive materialized partition interval".split()
)


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """explainable: plain EXPLAIN can be asked for it. runnable: it only reads, as far as its own text goes. reason: why not.

    functions: names that are called, lower-case unless quoted, as `name` or `schema.name`; the server knows their volatility.
    """

    kind: str
    explainable: bool
    runnable: bool
    reason: str
    functions: tuple[str, ...] = ()


def single_statement_kind(sql: str) -> GuardVerdict:
    """The verdict on a text. Whatever is not known to be harmless is refused with a reason."""
    statements = split_statements(sql)
    if len(statements) != 1:
        what = "no statement" if not statements else f"{len(statements)} statements"
        return GuardVerdict("", False, False, f"the text holds {what}, and only a single one is explained")
    if "\0" in sql:
        return GuardVerdict("", False, False, "the text holds a NUL byte, which PostgreSQL does not accept")
    tokens = significant(statements[0])
    kind = next((token.word for token in tokens if token.text != "("), "")
    if kind not in READS | WRITES:
        return GuardVerdict(kind.upper(), False, False, f"{kind.upper() or 'it'} is not a statement that has a plan")
    functions = _functions(tokens)
    reason = _why_it_writes(kind, tokens)
    return GuardVerdict(kind.upper(), "INTO" not in reason, not reason, reason, functions)


def _why_it_writes(kind: str, tokens: list[Token]) -> str:
    if kind in WRITES:
        return f"{kind.upper()} changes data"
    previous = ""
    for token in tokens:
        word = token.word
        if word == "into":
            return "SELECT INTO creates a table"
        if previous == "for" and word in LOCKS:
            return "FOR UPDATE or SHARE locks rows"
        if word in WRITES:
            return f"it may hold a data-modifying {word.upper()}"
        previous = word
    return ""


def _functions(tokens: list[Token]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for index, token in enumerate(tokens[:-1]):
        if tokens[index + 1].text != "(" or token.kind not in ("word", "quoted") or token.word in NOT_FUNCTIONS:
            continue
        name = _name(token)
        if index >= 2 and tokens[index - 1].text == "." and tokens[index - 2].kind in ("word", "quoted"):
            name = f"{_name(tokens[index - 2])}.{name}"
        names[name] = None
    return tuple(names)


def _name(token: Token) -> str:
    return token.word or token.text.strip('"').replace('""', '"')
