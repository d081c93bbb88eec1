"""Texts of remedies that several plan rules share."""

import math
import re
from collections.abc import Sequence

from ..analyzer.plan import PlanNode
from ..analyzer.recommendation import Code
from ..analyzer.sql.identifier import quote_identifier, quote_qualified
from .condition import column, qualifier

MOST_WORK_MEM_MB = 1024
"""What we ever propose for one session: every sort and hash of every worker may take as much."""


def work_mem(needed_kb: float) -> tuple[int, Code]:
    """(MB, code) for a session or role: the next power of two; never more than 1 GB."""
    megabytes = max(8, 2 ** math.ceil(math.log2(max(1.0, needed_kb / 1024))))
    megabytes = min(MOST_WORK_MEM_MB, megabytes)
    return megabytes, Code("Setting for one transaction", "sql", f"SET LOCAL work_mem = '{megabytes}MB';")


def create_index(node: PlanNode, columns: Sequence[str], *, method: str = "", suffix: str = "", expression: str = "", predicate: str = "") -> Code:  # fmt: skip
    """CREATE INDEX CONCURRENTLY for a scan's table. predicate: of a partial index, as the catalog has it."""
    table = quote_qualified(node.schema, node.relation or "?")
    what = f"({expression})" if expression else ", ".join(f"{quote_identifier(one)}{suffix}" for one in columns)
    using = f" USING {method}" if method else ""
    return Code(
        "DDL",
        "sql",
        f"CREATE INDEX CONCURRENTLY ON {table}{using} ({what}){f' WHERE ({predicate})' if predicate else ''};",
    )


def unqualified(text: str, node: PlanNode) -> str:
    """An expression over the scan's columns without its alias before them."""
    alias = node.alias or node.relation or ""
    return text.replace(f'"{alias}".', "") if f'"{alias}".' in text else re.sub(rf"\b{re.escape(alias)}\.", "", text)


def index_for_order(keys: Sequence[str]) -> str:
    """The columns of an index that gives rows in the order of these sort keys; empty where no index can: they are of several
    tables, or an expression that may not be indexable."""
    found: list[str] = []
    tables: set[str | None] = set()
    for key in keys:
        text, way = re.fullmatch(
            r"(.*?)((?: COLLATE \S+)?(?: DESC)?(?: NULLS (?:FIRST|LAST))?)", key, re.DOTALL
        ).groups()  # type: ignore[union-attr] # matches any text
        name = column(text)
        if name is None:
            return ""
        tables.add(qualifier(text))
        found.append((quote_identifier(name) if text.endswith('"') else name) + way)
    return ", ".join(found) if len(tables) == 1 else ""


def analyze(node: PlanNode) -> Code:
    """ANALYZE for a scan's table."""
    return Code("Statistics", "sql", f"ANALYZE {quote_qualified(node.schema, node.relation or '?')};")


def number(value: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")
