"""The little Markdown of rule pages and messages: headings, paragraphs, fenced code, code in a line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from ..numbers import visible

_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or code; the text is plain and not yet escaped."""

    kind: Literal["heading", "paragraph", "code"]
    text: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page, in order. Anything that is none of the others is a paragraph."""
    lines: list[str] = []
    fenced = False
    for line in page.split("\n"):
        if line.startswith("```"):
            yield from _block("code" if fenced else "paragraph", lines)
            lines, fenced = [], not fenced
        elif not fenced and (line.startswith("#") or not line.strip()):
            yield from _block("paragraph", lines)
            lines = []
            if line.strip():
                yield Block("heading", line.lstrip("#").strip())
        else:
            lines.append(line)
    yield from _block("code" if fenced else "paragraph", lines)


def prose(text: str) -> Markup:
    """The text escaped, with what stands in backticks as code."""
    parts = _CODE.split(visible(text))
    return Markup("").join(
        Markup("<code>%s</code>") % part if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _block(kind: Literal["paragraph", "code"], lines: list[str]) -> Iterator[Block]:
    text = "\n".join(lines) if kind == "code" else " ".join(line.strip() for line in lines)
    if text.strip():
        yield Block(kind, text)
