"""The plans in psql's HTML (`psql -H`), as the text that stood in the cells."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

_TABLE = re.compile(r"^<table\b", re.MULTILINE)
_RECORD = re.compile(r"Record \d+")
_HEADER = "QUERY PLAN"


def html_tables(text: str) -> Iterator[str]:
    """One text for each table of a plan; none where the text is no HTML of psql's. Without headers every table counts."""
    if _TABLE.search(text) is None:
        return
    parser = _Tables()
    parser.feed(text)
    parser.close()
    headed = any(heads for heads, _ in parser.tables)
    for heads, cells in parser.tables:
        if cells and (_HEADER in heads or not headed):
            yield "\n".join(cells)


class _Tables(HTMLParser):
    """tables: (headers, cells) of each."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[tuple[list[str], list[str]]] = []
        self._open: list[str] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(([], []))
        elif tag in ("th", "td") and self.tables:
            self._open = self.tables[-1][tag == "td"]
            self._text = ""
        elif tag == "br":
            self._text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._open is not None:
            if _RECORD.fullmatch(self._text.strip()) is None:
                self._open.append(self._text)
            self._open = None

    def handle_data(self, data: str) -> None:
        # psql writes leading blanks as such that do not break, and ends the line after each <br /> once more.
        self._text += data.replace("\n", "").replace("\xa0", " ")
