"""`queryproof fix`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import DEFAULT_REPORT, Command, fail, load_report

if TYPE_CHECKING:
    from ..analyzer.recommendation import Recommendation
    from ..analyzer.source_edit.loader_diff import EditedFile


@click.command(cls=Command)
@click.argument("report", type=click.Path(path_type=Path), default=DEFAULT_REPORT)
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="Only this edit; its beginning is enough. May be repeated."
)
@click.option("--apply", "write", is_flag=True, help="Write the edits to the source files, if these are as they were.")
def fix(report: Path, ids: tuple[str, ...], write: bool) -> None:
    """Show the edits of a report as one diff of your source; make them with --apply.

    REPORT is the directory or the report.json that `queryproof analyze` wrote; run this where the program was recorded,
    since the report names files from there. Nothing is written without --apply.

    \b
        queryproof fix                       show the diff
        queryproof fix | git apply           make it with git
        queryproof fix --id 3f2a --apply     make one edit

    Each edit adds a loader option to the query that an N+1 comes from, and the import that it needs. The query is looked up
    in the file as it is now. --apply refuses, before anything is written, when a file no longer gives the diff that the
    report shows. To measure an edit before you make it:

    \b
        queryproof record --prove -- COMMAND
    """
    chosen = select(load_report(report).recommendations, ids)
    if not chosen:
        click.echo(f"queryproof: {report} holds no edit of source code", err=True)
        return
    files, refused = edit_files(chosen, write)
    for one, reason in refused:
        click.echo(f"queryproof: no diff for {one.id}, {_place(one)}: {reason}", err=True)
    if not files:
        fail("none of the edits can be made")
    if not write:
        for file in files:
            # Nobody reads marks of byte order; whoever applies the diff needs the file's own bytes.
            click.echo(file.diff if sys.stdout.isatty() else file.patch, nl=False)
        click.echo("queryproof: nothing is written; make the edits with: queryproof fix --apply", err=True)
        return
    from ..analyzer.source_edit.source import check_writable, write_source

    for file in files:
        check_writable(file.source)
    for file in files:
        write_source(file.source, file.text)
        click.echo(f"queryproof: edited {file.source.name}", err=True)
    click.echo("queryproof: see what it saves: queryproof record -- COMMAND, then queryproof analyze", err=True)


def select(recommendations: Sequence["Recommendation"], ids: Sequence[str]) -> list["Recommendation"]:
    """The recommendations that are edits, those of the given ids when there are any. Exits with 2 at an id of none or several."""
    edits = [one for one in recommendations if one.edit is not None]
    chosen = [] if ids else edits
    for wanted in ids:
        found = [one for one in edits if one.id.startswith(wanted)]
        if len(found) != 1:
            known = ", ".join(f"{one.id} ({_place(one)})" for one in edits) or "none"
            fail(
                f"{'no edit has' if not found else 'several edits have'} the id {wanted!r}; edits of this report: {known}"
            )
        chosen += [one for one in found if one not in chosen]
    return chosen


def edit_files(
    chosen: Sequence["Recommendation"], write: bool
) -> tuple[list["EditedFile"], list[tuple["Recommendation", str]]]:
    """The files with their edits made, and the edits that cannot be made with the reason.

    write: insist on the diffs that the report shows; exits with 2 when a file gives another.
    """
    from ..analyzer.source_edit.cannot_edit import CannotEdit
    from ..analyzer.source_edit.loader_diff import edited_file, loader_diff
    from ..analyzer.source_edit.with_diffs import reported_diff

    here = Path.cwd()
    refused = []
    by_file: dict[str, list[Recommendation]] = {}
    for one in chosen:
        assert one.edit is not None
        shown = reported_diff(one)
        try:
            diff = loader_diff(one.edit, here)
        except CannotEdit as error:
            if write and shown is not None:
                fail(f"{_place(one)} is not as it was when the report was made ({error}): nothing is written")
            refused.append((one, str(error)))
            continue
        if write and shown is not None and diff != shown:
            fail(f"{one.edit.place.file} has changed since the report was made: nothing is written; analyze again")
        by_file.setdefault(one.edit.place.file, []).append(one)
    return [edited_file([one.edit for one in edits if one.edit], here) for edits in by_file.values()], refused


def _place(one: "Recommendation") -> str:
    return f"{one.edit.place.file}:{one.edit.place.line}" if one.edit else ""
