"""What a journal writes once and then names by its number."""


class References:
    """What is written once and then named by its number: `known` gives that field for what stands in the journal twice.

    The second use writes it again, so that damage in one place never takes the text of many executions with it.
    """

    def __init__(self, kind: str, comma: str) -> None:
        self.kind = kind
        self.comma = comma
        self.known: dict[object, str] = {}
        self.once: dict[object, int] = {}
        self.bytes = 0

    def clear(self) -> None:
        """Forget all: what was written cannot be relied on."""
        self.known.clear()
        self.once.clear()
        self.bytes = 0
