"""What may be done with a statement: decided by PostgreSQL's own grammar, before any server sees the text."""

from dataclasses import dataclass, field

from ..errors import StatementError
from .placeholders import number_placeholders
from .syntax import Syntax, read_syntax
from .tokens import significant

PLANNED = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"))


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """explainable: plain EXPLAIN can be asked for it. runnable: it only reads, as far as its own text goes. writes: it is
    a single INSERT, UPDATE, DELETE, MERGE, or a WITH that holds one, and nothing worse. reason: why it is not runnable.

    functions: names that are called, as `name` or `schema.name`; the server knows their volatility.
    syntax: all names of the text; None when it was refused.
    """

    kind: str
    explainable: bool
    runnable: bool
    reason: str
    functions: tuple[str, ...] = ()
    writes: bool = False
    syntax: Syntax | None = field(default=None, compare=False)


def single_statement_kind(sql: str) -> GuardVerdict:
    """The verdict on a text. Whatever is not known to be harmless is refused with a reason."""
    try:
        syntax = read_syntax(number_placeholders(sql))
    except StatementError as error:
        return GuardVerdict(_first_word(sql), False, False, str(error))
    functions = tuple(sorted(syntax.functions))
    if syntax.kind not in PLANNED:
        reason = f"{_first_word(sql) or syntax.kind} is not a statement that has a plan"
        return GuardVerdict(_first_word(sql) or syntax.kind, False, False, reason, functions)
    if syntax.into:
        return GuardVerdict(syntax.kind, False, False, "SELECT INTO creates a table", functions, syntax=syntax)
    reason = _why_it_writes(syntax)
    return GuardVerdict(syntax.kind, True, not reason, reason, functions, bool(syntax.changes), syntax)


def _why_it_writes(syntax: Syntax) -> str:
    if syntax.kind in syntax.changes:
        return f"{syntax.kind} changes data"
    if syntax.changes:
        return f"it holds a data-modifying {min(syntax.changes)}"
    return "FOR UPDATE or SHARE locks rows" if syntax.locks else ""


def _first_word(sql: str) -> str:
    # A text of one megabyte is not read through for the sake of a message.
    return next((token.word.upper() for token in significant(sql[:4096]) if token.text != "("), "")
