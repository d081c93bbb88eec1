"""The reader's own source, where it is at hand: the line of a place, the statement around it, names of aliases."""

import ast
import re
import tokenize
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from ..analyzer.query import CallSite
from ..analyzer.source_edit.functions_around import called_name, holds
from ..analyzer.source_edit.handed_in import Parameter, handed_in
from ..analyzer.source_edit.runtime_class import runtime_class

MAX_BYTES = 2_000_000
MAX_LINE = 300


def _lines(file: str) -> tuple[str, ...]:
    try:
        path = Path(file)
        # The name comes from a journal, which may be anyone's: nothing but Python below the working directory is opened.
        if path.is_absolute() or ".." in path.parts or path.suffix != ".py" or not path.is_file():
            return ()
        found = path.stat()
        return _read(path.absolute(), found.st_mtime_ns, found.st_size)
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=64)
def _read(path: Path, changed_at: int, size: int) -> tuple[str, ...]:
    """Kept as long as the file stays as it is."""
    if size > MAX_BYTES:
        return ()
    try:
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        text = data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (UnicodeError, SyntaxError, LookupError):
        return ()
    # Not splitlines: a form feed ends no line of Python.
    return tuple(text.split("\n"))


def _tree(file: str) -> ast.Module | None:
    return _parsed(_lines(file))


@lru_cache(maxsize=64)
def _parsed(lines: tuple[str, ...]) -> ast.Module | None:
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def source_line(place: CallSite) -> str:
    """The line's text, "" when the source is not at hand."""
    lines = _lines(place.file)
    return lines[place.line - 1].strip()[:MAX_LINE] if 0 < place.line <= len(lines) else ""


def called_on(place: CallSite | None, methods: Sequence[str], otherwise: str) -> str:
    """What the line calls one of the methods of, such as `self.session`; `otherwise` where it cannot be told, as of the last part
    of `made().session`."""
    match = (
        re.search(rf"(?<![\w.])([A-Za-z_][\w.]*)\.(?:{'|'.join(methods)})\(", source_line(place))
        if place is not None
        else None
    )
    return match[1] if match is not None else otherwise


def source_statement(place: CallSite) -> tuple[ast.stmt, ast.AST] | None:
    """The innermost statement that holds the line, its header alone where it has a body, and the function or module around
    it. None when the source is not at hand or has changed its shape."""
    return _statement_at(_lines(place.file), place.line)


@lru_cache(maxsize=1024)
def _statement_at(lines: tuple[str, ...], line: int) -> tuple[ast.stmt, ast.AST] | None:
    tree = _parsed(lines)
    if tree is None:
        return None
    found: tuple[ast.stmt, ast.AST] | None = None
    waiting: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while waiting:
        node, around = waiting.pop()
        for child in ast.iter_child_nodes(node):
            within = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else around
            waiting.append((child, within))
        if isinstance(node, ast.stmt) and holds(node, line) and (found is None or node.lineno >= found[0].lineno):
            found = (node, around)
    return found


def entity_at_run_time(place: CallSite, root: str) -> str | None:
    """The expression that is the class `root` only when it is run, such as `self.model` of a repository; None where the source
    names the class or is not at hand."""
    tree = _tree(place.file)
    return runtime_class(tree, place.line, root) if tree is not None else None


def statement_parameter(place: CallSite, inner: Parameter | None = None) -> Parameter | None:
    """The parameter by which the function there is handed the statement that it sends, or hands on to the inner function."""
    tree = _tree(place.file)
    return handed_in(tree, place.line, inner) if tree is not None else None


def alias_name(place: CallSite, root: str) -> str | None:
    """The name that `aliased(Root)` is given near the place: in its function, else in its module. None unless it is one."""
    tree = _tree(place.file)
    found = source_statement(place)
    if tree is None or found is None:
        return None
    for around in (found[1], tree):
        names = {name for node in ast.walk(around) for name in _aliases(node, root)}
        if len(names) == 1:
            return names.pop()
    return None


def _aliases(node: ast.AST, root: str) -> Iterator[str]:
    if not isinstance(node, ast.Assign | ast.NamedExpr):
        return
    value = node.value
    if not isinstance(value, ast.Call) or not value.args:
        return
    if called_name(value.func) in ("aliased", "with_polymorphic") and called_name(value.args[0]) == root:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target.id
