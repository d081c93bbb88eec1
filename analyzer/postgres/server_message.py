"""What PostgreSQL says of an error, fit for a report: without the values it quotes."""

import psycopg2

from ..sql.tokens import tokenize


def server_message(error: psycopg2.Error) -> str:
    """The primary message without values: DETAIL and CONTEXT are never used, quoted names stay, literals go.

    An exception that a function raises can say anything, so its text is not shown at all.
    """
    text = (error.diag.message_primary or "no message").strip()
    if error.pgcode and error.pgcode.startswith("22"):
        # Class 22 quotes the offending data, in double quotes like a name.
        text = text.partition(":")[0]
    elif error.pgcode == "P0001":
        return "a function raised an exception"
    return "".join("?" if token.kind == "literal" else token.text for token in tokenize(text))
