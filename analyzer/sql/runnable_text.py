"""From pg_stat_statements' normalised text to one that PostgreSQL can parse again.

pg_stat_statements cuts literals out of places where the grammar takes no parameter, and wraps of statements that have no
plan around ones that do. Everything here works on tokens; the text is never searched.
"""

from dataclasses import dataclass

from .group_by_literals import with_group_by
from .placeholders import number_placeholders
from .token_walk import (
    after_brackets,
    find_word,
    made_token,
    next_significant,
    parameter_number,
    previous_significant,
    significant,
    tokenized_again,
)
from .tokens import Token, tokenize

LIST_LENGTH = 5
"""Elements that a list whose length pg_stat_statements 18 has dropped (`IN ($1 /*, ... */)`) is planned with."""

HEAD = 4096
_TYPED = frozenset(("interval", "date", "timestamp", "timestamptz", "time", "timetz"))
_INTERVAL_FIELDS = frozenset(("year", "month", "day", "hour", "minute", "second"))
_SQUASHED = "/*, ... */"
_SERIES = "generate_series"
_CONCATS = frozenset(("concat", "concat_ws", "format"))
_SKIPPED = frozenset(
    "set reset show vacuum analyze begin start commit end rollback savepoint release truncate copy listen notify lock fetch "
    "move close deallocate discard checkpoint cluster reindex grant revoke drop alter comment call do refresh".split()
)


@dataclass(frozen=True, slots=True)
class RunnableText:
    """sql: the text that can be planned. repairs: what was changed, for people; empty when nothing was."""

    sql: str
    repairs: tuple[str, ...]


def runnable_text(sql: str) -> RunnableText:
    """The repaired text. Texts that need no repair, and those that cannot be repaired, come back unchanged."""
    tokens = tokenize(_numbered(sql))
    repairs: list[str] = []
    tokens = _unwrapped(tokens, repairs)
    tokens = _with_lists(tokens, repairs)
    tokens = _with_casts(tokens, repairs)
    tokens = _with_date_part(tokens, repairs)
    tokens = _with_argument_casts(tokens, repairs)
    tokens = _dense(with_group_by(tokens, repairs))
    return RunnableText("".join(token.text for token in tokens).strip(), tuple(dict.fromkeys(repairs)))


def _numbered(sql: str) -> str:
    """Placeholders of other styles as `$n`; those that are numbered already keep their numbers."""
    tokens = tokenize(sql)
    placeholders = [token.text for token in tokens if token.kind == "placeholder"]
    if all(text.startswith("$") for text in placeholders):
        return sql
    if any(text.startswith("%") for text in placeholders):
        # Texts with `%s` carry `%%` for each `%`, in literals too.
        sql = "".join(token.text if token.kind == "placeholder" else token.text.replace("%%", "%") for token in tokens)
    return number_placeholders(sql)


def without_plan(sql: str) -> str:
    """The command when the text is one that never has a plan (SET, VACUUM, …), else nothing."""
    # A text of one megabyte is not read through for its first word, unless it begins with a long comment.
    texts = (sql[:HEAD], sql)
    first = next((token for text in texts for token in tokenize(text) if token.kind not in ("space", "comment")), None)
    return first.text.upper() if first is not None and first.word in _SKIPPED else ""


def _unwrapped(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """The query inside EXPLAIN, DECLARE CURSOR, CREATE TABLE or MATERIALIZED VIEW AS, PREPARE AS and COPY (…) TO."""
    while (start := _body(tokens)) is not None:
        position, what = start
        tokens = tokens[position:]
        repairs.append(f"the query inside {what}")
    return tokens


def _body(tokens: list[Token]) -> tuple[int, str] | None:
    words = significant(tokens)
    if not words:
        return None
    first = tokens[words[0]].word
    if first == "explain":
        at = 1
        if at < len(words) and tokens[words[at]].text == "(":
            at = after_brackets(tokens, words, at)
        while at < len(words) and tokens[words[at]].word in ("analyze", "verbose"):
            at += 1
        return (words[at], "EXPLAIN") if at < len(words) else None
    if first == "declare":
        found = find_word(tokens, words, "for", 1)
        return (words[found + 1], "DECLARE CURSOR") if found is not None and found + 1 < len(words) else None
    if first in ("create", "prepare"):
        kinds = {tokens[index].word for index in words[1:6]}
        if first == "create" and not kinds & {"table", "materialized"}:
            return None
        found = find_word(tokens, words, "as", 1)
        if found is None or found + 1 >= len(words):
            return None
        body = words[found + 1 :]
        if tokens[body[0]].word not in (
            "select",
            "with",
            "values",
            "table",
            "insert",
            "update",
            "delete",
            "merge",
        ) and (tokens[body[0]].text != "("):
            return None
        return body[0], "PREPARE" if first == "prepare" else "CREATE … AS"
    return None


def _with_lists(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """`$1 /*, ... */` as a list of `LIST_LENGTH` parameters; the added ones are numbered after the last."""
    known = len(repairs)
    last = max((parameter_number(token) for token in tokens if token.kind == "placeholder"), default=0)
    out: list[Token] = []
    for index, token in enumerate(tokens):
        previous = previous_significant(tokens, index)
        squashed = token.kind == "comment" and token.text == _SQUASHED
        if squashed and previous is not None and previous.kind == "placeholder":
            while out and out[-1].kind == "space":
                out.pop()
            numbers = range(last + 1, last + LIST_LENGTH)
            last += LIST_LENGTH - 1
            out.extend(made_token(f", ${number}") for number in numbers)
            repairs.append(f"a list of unknown length is planned with {LIST_LENGTH} elements")
            continue
        out.append(token)
    return tokenized_again(out) if len(repairs) > known else tokens


def _with_casts(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """`interval $1` as `$1::interval`, with the fields or the precision that stand around it."""
    known = len(repairs)
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        end, written = _type(tokens, index) if token.word in _TYPED else (index, "")
        following = next_significant(tokens, end)
        if written and following is not None and tokens[following].kind == "placeholder":
            stop = following + 1
            if token.word == "interval":
                stop, fields = _interval_fields(tokens, stop)
                written += fields
            out.append(made_token(f"{tokens[following].text}::{written}"))
            repairs.append(f"{token.word} literals are casts")
            index = stop
            continue
        out.append(token)
        index += 1
    return tokenized_again(out) if len(repairs) > known else tokens


def _type(tokens: list[Token], index: int) -> tuple[int, str]:
    """(index of the last token of the type's name, its text): `timestamp(3) with time zone`."""
    text, end = tokens[index].word, index
    at = next_significant(tokens, end)
    if at is not None and tokens[at].text == "(":
        number = next_significant(tokens, at)
        close = next_significant(tokens, number) if number is not None else None
        if number is not None and close is not None and tokens[close].text == ")":
            text, end = f"{text}({tokens[number].text})", close
            at = next_significant(tokens, end)
    if at is not None and tokens[at].word in ("with", "without"):
        time = next_significant(tokens, at)
        zone = next_significant(tokens, time) if time is not None else None
        if time is not None and zone is not None and (tokens[time].word, tokens[zone].word) == ("time", "zone"):
            text, end = f"{text} {tokens[at].word} time zone", zone
    return end, text


def _interval_fields(tokens: list[Token], stop: int) -> tuple[int, str]:
    """(index after the fields, their text): ` day to second`."""
    text = ""
    at = next_significant(tokens, stop - 1)
    while at is not None and tokens[at].word in _INTERVAL_FIELDS:
        text += f" {tokens[at].word}"
        stop = at + 1
        at = next_significant(tokens, at)
        if at is not None and tokens[at].word == "to":
            field = next_significant(tokens, at)
            if field is None or tokens[field].word not in _INTERVAL_FIELDS:
                break
            text += " to"
            at = field
            continue
        break
    return stop, text


def _with_date_part(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """`extract($1 from ts)` as `date_part($1, ts)`."""
    known = len(repairs)
    tokens = list(tokens)
    for index, token in enumerate(tokens):
        if token.word != "extract":
            continue
        bracket = next_significant(tokens, index)
        field = next_significant(tokens, bracket) if bracket is not None and tokens[bracket].text == "(" else None
        after = next_significant(tokens, field) if field is not None and tokens[field].kind == "placeholder" else None
        if after is not None and tokens[after].word == "from":
            tokens[index] = made_token("date_part")
            tokens[after] = made_token(",")
            repairs.append("extract is date_part")
    return tokenized_again(tokens) if len(repairs) > known else tokens


def _with_argument_casts(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """Parameters that PostgreSQL cannot give a type: generate_series' as int, concat's as text."""
    known = len(repairs)
    out: list[Token] = []
    callers: list[tuple[str, int]] = []
    for index, token in enumerate(tokens):
        previous = previous_significant(tokens, index)
        if token.text == "(":
            callers.append((previous.word if previous is not None else "", 0))
        elif token.text == ")" and callers:
            callers.pop()
        elif token.text == "," and callers:
            callers[-1] = (callers[-1][0], callers[-1][1] + 1)
        out.append(token)
        if token.kind == "placeholder" and callers and _stands_alone(tokens, index):
            name, position = callers[-1]
            wanted = "text" if name in _CONCATS else ""
            if name == _SERIES and position < 3 and _untyped_series(tokens, index):
                wanted = "int"
            if wanted:
                out.append(made_token(f"::{wanted}"))
                repairs.append(f"{name}'s parameters are {wanted}")
    return tokenized_again(out) if len(repairs) > known else tokens


def _untyped_series(tokens: list[Token], index: int) -> bool:
    """Whether every argument of the call around is a bare parameter: with one typed argument PostgreSQL can tell."""
    start = index
    depth = 0
    while start > 0:
        start -= 1
        depth += {")": 1, "(": -1}.get(tokens[start].text, 0)
        if depth < 0:
            break
    for token in tokens[start + 1 :]:
        if token.text == ")":
            return True
        if token.kind not in ("space", "comment", "placeholder") and token.text != ",":
            return False
    return False


def _stands_alone(tokens: list[Token], index: int) -> bool:
    """Whether the parameter is a whole argument."""
    before, after = previous_significant(tokens, index), next_significant(tokens, index)
    return before is not None and before.text in ("(", ",") and after is not None and tokens[after].text in (")", ",")


def _dense(tokens: list[Token]) -> list[Token]:
    """Parameters numbered without gaps, in their order: PostgreSQL cannot give a missing one a type."""
    numbers = sorted({parameter_number(token) for token in tokens if token.kind == "placeholder"})
    if numbers == list(range(1, len(numbers) + 1)):
        return tokens
    new = {number: index for index, number in enumerate(numbers, 1)}
    return [
        made_token(f"${new[parameter_number(token)]}") if token.kind == "placeholder" else token for token in tokens
    ]
