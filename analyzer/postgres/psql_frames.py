"""Plans in psql's less usual frames: without a header, expanded, in a full border, wrapped, as CSV records.

Each reading is tried where the usual one found no plan, so that it may be bold: what is no plan after it is refused as before.
"""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator

from ..errors import StatementError

_EDGES = "|│║"
_FRAME = re.compile(r"[-+=─━═┌┐└┘├┤┬┴┼╔╗╚╝╟╢╤╧╠╣╦╩╬╪╫║│| ]*\Z")
_RECORD = re.compile(r"[-+─═┌┐├┤╔╗╟╢╠╣*| ]*(?:\[ )?(?:RECORD|Record) \d+(?: \])?[-+─═┬┼╤╪┐┤╗╢╣| ]*\Z")
_LABEL = re.compile(r"\AQUERY PLAN(?: [|│║:;])? ?")
_FURTHER = re.compile(r"\A {10}(?: [|│║:;] ?| )?")
_BEGINS = re.compile(
    r"\s*(?:[\[{]\s*\Z|[\[{]\s*[\[{\"]|<explain|- *(?:Plan|Query Text|\"Query Text\"|Query Identifier)?:? *\Z)"
)
_OTHER = (
    (re.compile(r"^\|====", re.MULTILINE), "asciidoc"),
    (re.compile(r"^\\begin\{", re.MULTILINE), "LaTeX"),
    (re.compile(r"^\.TS\b", re.MULTILINE), "troff"),
)


def refuse_typeset(text: str) -> None:
    """Raises StatementError, with the remedy, for what psql has set for a printer."""
    for pattern, name in _OTHER:
        if "QUERY PLAN" in text and pattern.search(text):
            raise StatementError(
                f"the plan is set as {name}, which is not read: \\pset format aligned, and explain it again"
            )


def readings(text: str, begins: Callable[[str], bool]) -> Iterator[str]:
    """What may stand in the frame. begins: whether a line is the first of a plan's text."""
    for lines in (_of_csv(text), _of_frame(text)):
        start = next((n for n, line in enumerate(lines) if _BEGINS.match(line) or begins(line)), None)
        if start is not None:
            yield "\n".join(lines[start:])


def _of_frame(text: str) -> list[str]:
    lines = [inner for line in text.split("\n") if (inner := _inside(line)) is not None]
    if sum(line.lstrip().startswith("QUERY PLAN") for line in lines) and not any(
        line.strip() == "QUERY PLAN" for line in lines
    ):
        lines = [_FURTHER.sub("", line) if _LABEL.match(line) is None else _LABEL.sub("", line) for line in lines]
    lines = list(unwrapped(lines))
    if any(line.rstrip().endswith(("+", "↵")) for line in lines):
        lines = [line.rstrip().removesuffix("+").removesuffix("↵").rstrip() for line in lines]
    if any(line.startswith(":") for line in lines):
        lines = [line.removeprefix(":").removeprefix(" ") for line in lines]
    return lines


def _of_csv(text: str) -> list[str]:
    if '"' not in text and "QUERY PLAN," not in text:
        return []
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error:
        return []
    fields = (row[1] if len(row) == 2 and row[0] == "QUERY PLAN" else ",".join(row) for row in rows)
    return "\n".join(fields).split("\n")


def _inside(line: str) -> str | None:
    """The line without the border; None when it is nothing else."""
    text = line.rstrip()
    if not text or _RECORD.match(text) or (_FRAME.match(text) and len(text.strip()) > 2):
        return None
    if text[0] in _EDGES:
        text = text[1:].removeprefix(" ")
        if text and text[-1] in _EDGES:
            text = text[:-1].rstrip()
    return text


def unwrapped(lines: list[str]) -> Iterator[str]:
    """The lines, with those joined that psql has broken at the width of its page and marked on both sides."""
    held = ""
    for line, following in itertools.zip_longest(lines, lines[1:], fillvalue=""):
        text = line
        if held:
            text = held + line.lstrip(" ")[1:]
            held = ""
        mark = text[-1:]
        if mark in (".", "…", ";") and following.lstrip(" ")[:1] == mark:
            held = text[:-1]
            continue
        yield text
    if held:
        yield held
