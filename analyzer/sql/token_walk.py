"""Moving about in a list of tokens."""

from .tokens import Token, tokenize


def significant(tokens: list[Token]) -> list[int]:
    """Indexes of the tokens that are neither space nor comment."""
    return [index for index, token in enumerate(tokens) if token.kind not in ("space", "comment")]


def next_significant(tokens: list[Token], index: int) -> int | None:
    """Index of the next such token; None at the end."""
    return next((i for i in range(index + 1, len(tokens)) if tokens[i].kind not in ("space", "comment")), None)


def previous_significant(tokens: list[Token], index: int) -> Token | None:
    """The one before; None at the beginning."""
    return next((tokens[i] for i in range(index - 1, -1, -1) if tokens[i].kind not in ("space", "comment")), None)


def after_brackets(tokens: list[Token], words: list[int], at: int) -> int:
    """Position in `words` behind the bracket that opens at `at`."""
    depth = 0
    while at < len(words):
        depth += {"(": 1, ")": -1}.get(tokens[words[at]].text, 0)
        at += 1
        if depth == 0:
            break
    return at


def find_word(tokens: list[Token], words: list[int], word: str, start: int) -> int | None:
    """Position in `words` of a word outside brackets, from `start` on."""
    depth = 0
    for at in range(start, len(words)):
        depth += {"(": 1, ")": -1}.get(tokens[words[at]].text, 0)
        if depth == 0 and tokens[words[at]].word == word:
            return at
    return None


def parameter_number(token: Token) -> int:
    """Of `$n`; 0 for another placeholder."""
    return int(token.text[1:]) if token.text[1:].isdigit() else 0


def made_token(text: str) -> Token:
    """A token whose kind does not matter: the text is tokenised again."""
    return Token("operator", text, 0)


def tokenized_again(tokens: list[Token]) -> list[Token]:
    """After an edit, so that kinds are right again."""
    return tokenize("".join(token.text for token in tokens))
