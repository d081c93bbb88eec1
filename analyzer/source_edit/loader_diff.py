"""The diffs of loader edits, and the files with several of them made."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..recommendation import LoaderEdit
from .cannot_edit import AlreadyThere, CannotEdit
from .edit_source import edit_source
from .source import Source, encoded, read_source, unified_diff


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A source file and the text that it becomes."""

    source: Source
    text: str

    @property
    def diff(self) -> str:
        """Unified, with paths from the working directory behind a/ and b/."""
        return unified_diff(self.source, self.text)

    @property
    def patch(self) -> bytes:
        """The diff in the file's own encoding, its mark of byte order included, as `git apply` compares it with the file."""
        mark = "\ufeff" if self.source.bom else ""
        source = replace(self.source, text=mark + self.source.text)
        return unified_diff(source, mark + self.text).encode(self.source.encoding)


def loader_diff(edit: LoaderEdit, directory: Path) -> str:
    """The unified diff of one edit. Nothing is written. Raises CannotEdit with the reason when there is none."""
    return edited_file([edit], directory).diff


def edited_file(edits: Sequence[LoaderEdit], directory: Path) -> EditedFile:
    """One file with all these edits made, one after the other. All must be of the same file. Raises CannotEdit."""
    source = read_source(edits[0].place.file, directory)
    text = source.text
    for edit in edits:
        line = _moved(source.text, text, edit.place.line)
        try:
            text = edit_source(text, replace(edit, place=replace(edit.place, line=line)), directory)
        except AlreadyThere:
            # An edit before it has brought the same option.
            if text == source.text:
                raise
    encoded(source, text)
    return EditedFile(source, text)


def _moved(before: str, after: str, line: int) -> int:
    """Where a line of the unedited text stands in the edited one; a changed line is found at the same step of its change."""
    if before == after:
        return line
    matcher = difflib.SequenceMatcher(None, before.split("\n"), after.split("\n"), autojunk=False)
    for _, start, end, new_start, _ in matcher.get_opcodes():
        if start <= line - 1 < end:
            return new_start + (line - 1 - start) + 1
    raise CannotEdit("the line is gone")
