"""A loader option added to the statement that a recording names, in the text of its file."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import libcst as cst

from ..recommendation import LoaderEdit
from .cannot_edit import AlreadyThere, CannotEdit
from .chain import Chain
from .imports import add_imports
from .locate import Located, locate
from .modules import Modules
from .names import Names
from .option import option_for
from .options_call import one_a_line, opened, replaced, with_arguments, with_call
from .tree import Tree, last_name

WIDTHS = (88, 100, 120)
"""Line lengths of common formatters: the smallest that the file keeps to already is the one to keep."""
OPTIONS = "queryproof_options"
"""Stands for `options=[…]` while the arguments of a call are laid out: a name that no file uses."""
Replacement = tuple[cst.BaseExpression, cst.BaseExpression]


def edit_source(text: str, edit: LoaderEdit, directory: Path | None = None) -> str:
    """The text with the edit made, everything else as it was. Raises CannotEdit with the reason when it cannot be made.

    directory: the working directory, where statements that other files make are looked for; without one they are not.
    """
    tree = _tree(text)
    modules = Modules(edit.place.file, directory) if directory is not None else None
    located = locate(tree, edit.place, edit.root, aliased=edit.aliased, modules=modules)
    names = Names(tree, located.execution)
    option = option_for(edit, names, located.root)
    lines = text.splitlines()
    longest = max(map(len, lines), default=0)
    width = next((one for one in WIDTHS if longest <= one), WIDTHS[-1])
    # Before Python 3.12 the braces of an f-string end on the line where they begin.
    in_text = any(isinstance(one, cst.FormattedString) for one in tree.around(located.execution))
    edited = ""
    for layout in _layouts(tree, located):
        body = tree.replaced(_replacements(tree, located, option.expressions, edit, layout))
        first = _first_of(tree, located)
        edited = tree.written(add_imports(tree, body, option.imports, first, width))
        present = set(lines)
        if in_text or all(len(line) <= width for line in edited.splitlines() if line not in present):
            break
    if edited == text:
        raise AlreadyThere("the option is there already: the recording is older than the file")
    _compile(edited, edit.place.file)
    return edited


@lru_cache(maxsize=2)
def _tree(text: str) -> Tree:
    """Kept for the next edit of the same file."""
    return Tree(text)


@dataclass(frozen=True, slots=True)
class _Layout:
    """opened: the execution with its argument on lines of its own, None to leave it. wrap: as in `options_call.py`."""

    opened: cst.Call | None = None
    wrap: str | None = None


def _layouts(tree: Tree, located: Located) -> Iterator[_Layout]:
    """What to try while lines are too long: as it is, the execution opened, the option on a line of its own."""
    yield _Layout()
    statement = located.statement
    execution = located.execution
    if statement is not None and isinstance(execution, cst.Call):
        inside = any(one is execution for one in tree.around(_target(located).node))
        new = opened(execution, tree) if inside else None
        if new is not None:
            yield _Layout(new)
            yield _Layout(new, tree.module.default_indent)
            return
    yield _Layout(wrap="")


def _replacements(
    tree: Tree, located: Located, options: Sequence[cst.BaseExpression], edit: LoaderEdit, layout: _Layout
) -> list[Replacement]:
    if located.kind == "get":
        call = cst.ensure_type(located.execution, cst.Call)
        return [(call, _get(call, options, edit, tree, wrap=layout.wrap))]
    assert located.statement is not None
    old, new = _statement(located, options, edit, tree, wrap=layout.wrap)
    execution, outer = located.execution, located.execution
    inside = any(one is execution for one in tree.around(old))
    changed = [] if inside else [(old, new)]
    if inside:
        whole: Any = (layout.opened or execution).deep_replace(old, new)
        execution = whole
    if edit.unique and not located.statement.legacy:
        parent = tree.parent(outer)
        if isinstance(parent, cst.Await):
            outer, execution = parent, parent.with_changes(expression=execution)
        if last_name(cst.ensure_type(located.execution, cst.Call).func) == "scalar":
            raise CannotEdit("session.scalar() cannot make rows unique: use session.scalars(…).unique().first()")
        if not _is_unique_already(tree, outer):
            execution = _unique(execution)
    return changed if execution is located.execution else [*changed, (outer, execution)]


def _statement(
    located: Located, options: Sequence[cst.BaseExpression], edit: LoaderEdit, tree: Tree, *, wrap: str | None
) -> Replacement:
    """The expression to change and what comes in its place."""
    statement = located.statement
    assert statement is not None
    target = _target(located)
    there = {pair for call in target.options for pair in replaced(call, edit)}
    elsewhere = {pair for part in (*statement.parts, *statement.elsewhere) if part is not target for call in part.options for pair in replaced(call, edit)}  # fmt: skip
    if set(edit.replaces) - there:
        missing = ", ".join(f"{name}({attribute})" for name, attribute in sorted(set(edit.replaces) - there))
        why = (
            f"stands where other code uses the statement too ({statement.where})"
            if elsewhere
            else "was not found in it"
        )
        raise CannotEdit(f"the edit replaces {missing}, which {why}: change it by hand")
    calls = target.options
    if not calls:
        return target.node, with_call(target.node, options, tree, wrap=wrap)
    call = next((one for one in calls if replaced(one, edit)), calls[-1])
    changed = with_arguments(call, options, edit, tree, wrap=wrap)
    if changed is None:
        return call, cst.ensure_type(call.func, cst.Attribute).value
    return call, changed


def _target(located: Located) -> Chain:
    """The chain to change: the one that makes the statement, unless other code uses it too."""
    assert located.statement is not None
    return located.statement.parts[0 if located.statement.shared else -1]


def _get(
    call: cst.Call, options: Sequence[cst.BaseExpression], edit: LoaderEdit, tree: Tree, *, wrap: str | None
) -> cst.BaseExpression:
    """`session.get(Author, 1, options=[…])`."""
    if edit.replaces:
        raise CannotEdit("the edit replaces an option of session.get(): change its options by hand")
    given = next((arg for arg in call.args if arg.keyword is not None and arg.keyword.value == "options"), None)
    if any(arg.star == "**" for arg in call.args) or (given and not isinstance(given.value, (cst.List, cst.Tuple))):
        raise CannotEdit("the options of session.get() are built elsewhere: add the option there")
    if given is not None and isinstance(given.value, (cst.List, cst.Tuple)):
        elements = [*given.value.elements, *(cst.Element(one) for one in options)]
        value = given.value.with_changes(elements=elements)
        if wrap is not None and isinstance(value, cst.List):
            value = one_a_line(value, tree.indentation(tree.first_line(call)) + wrap, tree.module.default_indent)
        return call.with_changes(args=[arg.with_changes(value=value) if arg is given else arg for arg in call.args])
    listed = cst.List([cst.Element(one) for one in options])
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(listed, cst.Name("options"), equal)
    extended = cst.Call(call.func, [*call.args, cst.Arg(cst.Name(OPTIONS))])
    laid = with_arguments(call, [cst.Name(OPTIONS)], edit, tree, wrap=wrap) or extended
    args = [new.with_changes(comma=arg.comma, whitespace_after_arg=arg.whitespace_after_arg) if last_name(arg.value) == OPTIONS else arg for arg in laid.args]  # fmt: skip
    return laid.with_changes(args=args)


def _unique(outer: cst.BaseExpression) -> cst.Call:
    if isinstance(outer, cst.Await) and not outer.lpar:
        outer = outer.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.Call(cst.Attribute(outer, cst.Name("unique")))


def _is_unique_already(tree: Tree, outer: cst.BaseExpression) -> bool:
    parent = tree.parent(outer)
    return isinstance(parent, cst.Attribute) and parent.attr.value == "unique"


def _first_of(tree: Tree, located: Located) -> cst.CSTNode:
    """The part of the statement that is changed and stands first: imports must stand above it."""
    parts = [part.node for part in located.statement.parts] if located.statement is not None else []
    return min([located.execution, *parts], key=tree.first_line)


def _compile(text: str, name: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise CannotEdit(f"the edited file would not compile: {error}") from None
