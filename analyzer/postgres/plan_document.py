"""Finds the plans in whatever text people have: EXPLAIN in any format, framed by psql, or in the server's log."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator

from ..errors import StatementError
from .plan_from_html import html_tables
from .plan_from_markup import from_json, from_xml, from_yaml, refuse_infinite
from .plan_from_text import document_from_text, starts_plan
from .psql_frames import readings, refuse_typeset, unwrapped
from .told_node import RawNode

MAX_BYTES = 200 * 1024 * 1024
_FRAME = re.compile(r"[-+=─━┌┐└┘├┤┬┴┼╔╗╚╝═╟╢ ]*\Z")
_QUOTED = re.compile(r'\s*".*"\s*')
_ROWS = re.compile(r"\(\d+ \S+\)\Z")
_HEADER = re.compile(r"[│|║ ]*QUERY PLAN[│|║ ]*\Z")
_RECORD = re.compile(r"QUERY PLAN *[|│] ?")
# What psql says of the statements around, and of its own settings.
_ECHO = re.compile(
    r"(?!QUERY PLAN)[A-Z]+(?: [A-Z]+)*(?: \d+)*|Time: [\d.,]+ ms.*|(?:Timing|Expanded display|Border style|Line style|Output format|Tuples only|Pager usage) is .*\."
)
_DURATION = re.compile(r"duration: ([\d.]+) ms  plan:\s*")


def documents(text: str) -> list[RawNode]:
    """Every plan in the text, in order, in the shape of EXPLAIN's JSON: a dict with `Plan`.

    Raises StatementError naming what is wrong when there is none, or when the text is larger than 200 MB.
    """
    if len(text) > MAX_BYTES:
        raise StatementError("the plan is larger than 200 MB and was not read")
    if _json_like(text):
        # Most plans are JSON and nothing else. What is not is looked at from the beginning.
        with contextlib.suppress(StatementError):
            return _plans(from_json(text))
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    logged = list(_logged(text)) if _DURATION.search(text) else []
    if logged:
        return logged
    if tables := list(html_tables(text)):
        return [one for table in tables for one in _documents(table)]
    try:
        return _framed(text)
    except StatementError:
        refuse_typeset(text)
        for reading in readings(text, starts_plan):
            with contextlib.suppress(StatementError):
                return _documents("\n".join(unframed(reading)))
        raise


def _framed(text: str) -> list[RawNode]:
    """Plans in the frames that psql and other clients usually put around them."""
    lines = list(unwrapped(text.split("\n")))
    text = "\n".join(lines)
    heads = [n for n, line in enumerate(lines) if _HEADER.match(line)]
    if len(heads) < 2:
        return _documents("\n".join(unframed(text)))
    tables = ["\n".join(lines[start:end]) for start, end in zip(heads, [*heads[1:], len(lines)], strict=True)]
    return [one for table in tables for one in _documents("\n".join(unframed(table)))]


def unframed(text: str) -> Iterator[str]:
    """The lines without what psql, or a table of some other client, has put around them."""
    lines = text.split("\n")
    while lines and _said(lines[0]):
        lines.pop(0)
    while lines and _said(lines[-1]):
        lines.pop()
    heads = [n for n, line in enumerate(lines[:6]) if _HEADER.match(line) or _RECORD.match(line)]
    quoted = [_QUOTED.fullmatch(line) is not None for line in lines if line.strip()]
    if not _json_like(text) and (all(quoted[1:]) if heads else any(quoted)):
        # CSV quotes what holds a comma, other clients quote every line.
        lines = [line.strip()[1:-1].replace('""', '"') if _QUOTED.fullmatch(line) else line for line in lines]
    heads = [n for n, line in enumerate(lines[:6]) if _HEADER.match(line) or _RECORD.match(line)]
    if heads and any(line.startswith('"') for line in lines[heads[0] + 1 :]):
        lines = _csv_column(lines[heads[0] + 1 :])
        heads = []
    elif heads:
        lines = lines[heads[0] :]  # psql's word on a changed setting, or the statement, may stand before
    if not heads:
        yield from (line for line in lines if not _ROWS.match(line.strip()))
        return
    boxed = any(line.startswith(("│", "|", "║")) for line in lines)
    for line in lines:
        if _HEADER.match(line) or (_FRAME.match(line) and line.strip()) or _ROWS.match(line.strip()) or line.startswith(("-[ RECORD", "─[ RECORD")):  # fmt: skip
            continue
        line = _RECORD.sub("", line)
        line = line.rstrip()
        if boxed:
            line = line.removeprefix(line[0] if line.startswith(("│", "|", "║")) else "").removesuffix(line[-1] if line.endswith(("│", "|", "║")) else "").rstrip()  # fmt: skip
        line = line.removesuffix("+").removesuffix("↵").rstrip()
        yield line.lstrip()[2:] if line.lstrip().startswith(("| ", "│ ")) else line


def _said(line: str) -> bool:
    return not line.strip() or _ECHO.fullmatch(line.rstrip()) is not None


def _csv_column(lines: list[str]) -> list[str]:
    """The lines of the only column of a CSV export, whose fields may hold several."""
    csv.field_size_limit(MAX_BYTES)
    try:
        return "\n".join(",".join(row) for row in csv.reader(io.StringIO("\n".join(lines)))).split("\n")
    except csv.Error:
        raise StatementError("the CSV around the plan is damaged and was not read") from None


def _json_like(text: str) -> bool:
    return text.lstrip().startswith(("[", "{"))


def _documents(text: str) -> list[RawNode]:
    body = text.strip()
    if body.startswith(("[", "{")):
        return _plans(from_json(body))
    found = _other_documents(text, body)
    refuse_infinite(found)
    return found


def _other_documents(text: str, body: str) -> list[RawNode]:
    if body.startswith("<"):
        return _plans(from_xml(body))
    if re.match(r"- *(?:\n\s*)?(?:Plan|Query Text|\"Query Text\"): *", body) or re.match(r"Query Text: .*\nPlan: *\n", body):  # fmt: skip
        return _plans(from_yaml(text))
    if not any(starts_plan(line) for line in body.split("\n") if line.strip() and not line.lstrip().startswith("->")):
        raise StatementError(
            "there is no plan in it: give the output of EXPLAIN in any format (text, JSON, YAML, XML), or auto_explain's log"
        )
    return [document_from_text(text.split("\n"))]


def _plans(value: object) -> list[RawNode]:
    """All dicts with a plan: EXPLAIN's list, a lone object, or rows of a client's own JSON export."""
    found: list[RawNode] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            found += _plans(item)
        elif isinstance(item, dict) and isinstance(item.get("Plan"), dict):
            found.append(item)
        elif isinstance(item, dict) and "QUERY PLAN" in item:
            inner = item["QUERY PLAN"]
            found += _plans(from_json(inner) if isinstance(inner, str) and _json_like(inner) else inner)
        elif isinstance(item, dict) and "Node Type" in item:
            found.append({"Plan": item})
    if not found:
        raise StatementError("the document holds no plan")
    return found


def _logged(text: str) -> Iterator[RawNode]:
    """auto_explain's plans, in order: from stderr's, csv's and JSON's log."""
    damaged: StatementError | None = None
    read = 0
    for message in _messages(text):
        match = _DURATION.search(message)
        if match is None:
            continue
        if damaged is not None:
            raise damaged
        try:
            found = _documents(message[match.end() :])
        except StatementError as error:
            damaged = error
            continue
        for document in found:
            document.setdefault("Duration", float(match[1]))
            yield document
            read += 1
    # A log that is still being written ends in the middle of its last plan.
    if damaged is not None and not read:
        raise damaged


def _messages(text: str) -> Iterator[str]:
    if text.startswith("{") and '"message"' in text.partition("\n")[0]:
        # Not splitlines: PostgreSQL leaves U+2028 and its like in JSON as they are.
        for line in text.split("\n"):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                yield str(entry.get("message", ""))
        return
    if re.match(r"\d{4}-\d\d-\d\d [\d:.]+ \w+,", text):
        yield from _csv_messages(text)
        return
    held: list[str] = []
    tabbed = False
    for line in text.split("\n"):
        tab = line.startswith(("\t", "#011"))
        # Where a message's lines begin with tabs, one without is the next message, whatever the log's prefix.
        if tab or (held and not tabbed and (not line.strip() or _continues(line, held))):
            tabbed |= tab
            if held:
                held.append(re.sub(r"^(?:\t|#011)", "", line))
            continue
        tabbed = False
        if held:
            yield "\n".join(held)
        held = [line] if _DURATION.search(line) else []
    if held:
        yield "\n".join(held)


def _continues(line: str, held: list[str]) -> bool:
    """Logs pasted without their tabs: a line goes on with the plan until the next line that has a log's prefix."""
    return not re.match(r"\d{4}-\d\d-\d\d |\[\d+\]|(?:LOG|ERROR|STATEMENT|DETAIL|CONTEXT|FATAL|WARNING): ", line) and not _DURATION.search(line)  # fmt: skip


def _csv_messages(text: str) -> Iterator[str]:
    csv.field_size_limit(MAX_BYTES)
    try:
        for row in csv.reader(io.StringIO(text)):
            yield from (field for field in row if "  plan:" in field)
    except csv.Error:
        raise StatementError("the csv log is damaged and was not read") from None
