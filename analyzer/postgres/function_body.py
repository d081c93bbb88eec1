"""The names in a function's source, any of which may be a call, a table or a type."""

from dataclasses import dataclass

from ..sql.tokens import significant
from .known_functions import Function

_WRITING = frozenset("insert update delete merge truncate create drop alter grant revoke".split())
_UNKNOWABLE = frozenset("execute copy do call".split())


@dataclass(frozen=True, slots=True)
class FunctionBody:
    """words: names, without quotes. dotted: those that stand with another before them, as `first.second`. operators: as written.
    writing: a word that changes data, or empty. unknowable: why nobody can tell from the source what it does, or empty.
    casts: it may cast explicitly. moves: it may change where names are looked for."""

    words: frozenset[str] = frozenset()
    dotted: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    writing: str = ""
    unknowable: str = ""
    casts: bool = False
    moves: bool = False


def function_body(function: Function) -> FunctionBody:
    """What the source names; nothing for functions whose source is not SQL or PL/pgSQL."""
    if function.language not in ("sql", "plpgsql"):
        return FunctionBody()
    tokens = significant(function.body)
    words = {
        token.word
        for token, following in zip(tokens, [*tokens[1:], None], strict=True)
        # ON CONFLICT DO NOTHING or UPDATE is no DO block.
        if not (token.word == "do" and following is not None and following.word in ("nothing", "update"))
    }
    unknowable = f"holds {min(words & _UNKNOWABLE).upper()}" if words & _UNKNOWABLE else ""
    for token in tokens:
        if token.kind == "quoted" and token.text[:1] in "uU":
            unknowable = "names something in Unicode escapes"
        elif token.kind == "literal" and token.text[:1] not in "eE$" and "\\'" in token.text:
            # Where standard_conforming_strings is off, the literal goes on and what follows is no literal.
            unknowable = "holds a string with \\', which can be read in two ways"
    named = [token.name for token in tokens]
    return FunctionBody(
        words=frozenset(filter(None, named)),
        dotted=frozenset(
            f"{named[n - 1]}.{named[n + 1]}"
            for n in range(1, len(tokens) - 1)
            if tokens[n].text == "." and named[n - 1] and named[n + 1]
        ),
        operators=frozenset(token.text for token in tokens if token.kind == "operator"),
        writing=min(words & _WRITING, default=""),
        unknowable=f"{unknowable} and may do anything" if unknowable else "",
        casts="cast" in words or any(token.text == "::" for token in tokens),
        moves="search_path" in f"{function.settings} {function.body}".lower() or "set_config" in words,
    )
