"""Literals of GROUP BY and ORDER BY that pg_stat_statements has cut out of the select list alone."""

from .token_walk import made_token, significant, tokenized_again
from .tokens import Token


def with_group_by(tokens: list[Token], repairs: list[str]) -> list[Token]:
    """Literals of GROUP BY and ORDER BY expressions back in the select list, where the same expression stands with `$n`.

    Only the first occurrence of a literal's expression becomes a parameter in some servers' texts; PostgreSQL then no
    longer knows that both are the same expression.
    """
    grouped = _group_expressions(tokens)
    if not grouped:
        return tokens
    out = list(tokens)
    words = significant(out)
    group_at = grouped[0][0]
    for _, expression in grouped:
        if len(expression) == 1 or all(token.kind != "literal" for token in expression):
            continue
        for at in range(len(words)):
            if words[at] >= group_at:
                break
            window = words[at : at + len(expression)]
            if len(window) == len(expression) and _same_but_parameters([out[i] for i in window], expression):
                for position, token in zip(window, expression, strict=True):
                    out[position] = made_token(token.text)
                repairs.append("literals of GROUP BY and ORDER BY are in the select list again")
    return tokenized_again(out)


def _same_but_parameters(one: list[Token], other: list[Token]) -> bool:
    """Equal token by token, where a parameter may stand for a literal, and stands for at least one."""
    parameters = 0
    for mine, theirs in zip(one, other, strict=True):
        if mine.kind == "placeholder" and theirs.kind == "literal":
            parameters += 1
        elif (mine.word or mine.text) != (theirs.word or theirs.text):
            return False
    return parameters > 0


def _group_expressions(tokens: list[Token]) -> list[tuple[int, list[Token]]]:
    """(index of GROUP or ORDER, significant tokens) of every expression of every GROUP BY and ORDER BY."""
    words = significant(tokens)
    found: list[tuple[int, list[Token]]] = []
    for at, index in enumerate(words[:-1]):
        if tokens[index].word not in ("group", "order") or tokens[words[at + 1]].word != "by":
            continue
        depth, current = 0, list[Token]()
        for position in words[at + 2 :]:
            token = tokens[position]
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            ends = depth < 0 or (
                depth == 0
                and token.word
                in ("having", "order", "limit", "offset", "window", "union", "except", "intersect", "fetch", "for")
            )
            if ends or (depth == 0 and token.text == ","):
                found.append((index, _without_direction(current)))
                current = []
                if ends:
                    break
                continue
            current.append(token)
        if current:
            found.append((index, _without_direction(current)))
    return [(index, expression) for index, expression in found if expression]


def _without_direction(expression: list[Token]) -> list[Token]:
    while expression and expression[-1].word in ("asc", "desc", "nulls", "first", "last"):
        expression = expression[:-1]
    return expression
