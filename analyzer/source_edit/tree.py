"""A syntax tree that keeps every character, with positions, parents and the functions that things stand in."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .cannot_edit import CannotEdit

_TRIVIA = (
    cst.BaseParenthesizableWhitespace,
    cst.TrailingWhitespace,
    cst.EmptyLine,
    cst.Comma,
    cst.Dot,
    cst.LeftParen,
    cst.RightParen,
)

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


class Tree:
    """A parsed file. Raises CannotEdit when the text is not Python.

    Positions and parents are worked out one statement of the file's own level at a time: most files are long, and most edits
    need one function of them.
    """

    def __init__(self, text: str) -> None:
        try:
            self.module = cst.parse_module(text)
        except cst.ParserSyntaxError as error:
            raise CannotEdit(f"the file is not valid Python (line {error.raw_line})") from None
        except RecursionError:
            raise CannotEdit("the file is nested too deeply to be parsed") from None
        self.text = text
        codes = [self.module.code_for_node(one) for one in self.module.body]
        whole = "".join(codes)
        if not self.module.has_trailing_newline:
            whole = whole.removesuffix(self.module.default_newline)
        if not whole:
            raise CannotEdit("the file holds no code")
        self._above, found, self._below = text.partition(whole)
        if found != whole:
            raise CannotEdit("the file cannot be written back as it is")
        self._codes = {id(one): code for one, code in zip(self.module.body, codes, strict=True)}
        lines = [self._above.count("\n"), *(code.count("\n") for code in codes)]
        self._starts = list(accumulate(lines[:-1]))
        self._positions: dict[cst.CSTNode, tuple[int, int]] = {}
        self._parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._read: set[int] = set()
        self.scopes: dict[cst.CSTNode, Any] = {}
        """What `names.py` has found out already."""

    def read_around(self, line: int) -> None:
        """Make `calls` and `iterated` hold what stands in the same statement of the file's own level as the line."""
        self._read_statement(max((n for n, start in enumerate(self._starts) if start < line), default=0))

    @property
    def calls(self) -> list[cst.Call]:
        """Calls in what has been read."""
        return [node for node in self._parents if isinstance(node, cst.Call)]

    @property
    def iterated(self) -> list[cst.BaseExpression]:
        """What loops, comprehensions, unpacking and subscripts read from, in what has been read."""
        found: list[cst.BaseExpression] = []
        for node in self._parents:
            if isinstance(node, (cst.For, cst.CompFor)):
                found.append(node.iter)
            elif isinstance(node, (cst.Subscript, cst.StarredElement)):
                found.append(node.value)
        return found

    def replaced(self, replacements: Sequence[tuple[cst.CSTNode, cst.CSTNode]]) -> list[Statement]:
        """The file's statements with other nodes in these nodes' places; none of them may stand inside another."""
        body: list[Any] = list(self.module.body)
        by_statement: dict[int, dict[cst.CSTNode, cst.CSTNode]] = {}
        for old, new in replacements:
            by_statement.setdefault(self.statement_number(old), {})[old] = new
        for number, mapping in by_statement.items():
            body[number] = body[number].visit(_Replacing(mapping))
        return body

    def written(self, body: Sequence[Statement]) -> str:
        """The text of the file with these statements; of those that are this tree's own every character is kept."""
        codes = [self._codes.get(id(one)) or self.module.code_for_node(one) for one in body]
        if not self.module.has_trailing_newline:
            codes[-1] = codes[-1].removesuffix(self.module.default_newline)
        return self._above + "".join(codes) + self._below

    def statement_number(self, node: cst.CSTNode) -> int:
        """Which statement of the file's own level the node is in."""
        top = node
        for outer in self.around(node):
            if outer is not self.module:
                top = outer
        return next(number for number, one in enumerate(self.module.body) if one is top)

    def _read_statement(self, number: int) -> None:
        if number in self._read or number >= len(self.module.body):
            return
        self._read.add(number)
        statement = self.module.body[number]
        wrapper = MetadataWrapper(self.module.with_changes(header=(), body=[statement]), unsafe_skip_copy=True)
        above = self._starts[number]
        for node, span in wrapper.resolve(PositionProvider).items():
            self._positions[node] = (span.start.line + above, span.end.line + above)
        self._parents[statement] = self.module
        waiting: list[cst.CSTNode] = [statement]
        while waiting:
            node = waiting.pop()
            for child in node.children:
                if not isinstance(child, _TRIVIA):
                    self._parents[child] = node
                    waiting.append(child)

    def _found(self, node: cst.CSTNode) -> cst.CSTNode:
        """The node, when the statement that it is in has been read; that happens here otherwise."""
        if node not in self._parents:
            for number in range(len(self.module.body)):
                self._read_statement(number)
        return node

    def first_line(self, node: cst.CSTNode) -> int:
        """Line where the node begins, without parentheses around it."""
        return self._positions[self._found(node)][0]

    def last_line(self, node: cst.CSTNode) -> int:
        """Line where the node ends."""
        return self._positions[self._found(node)][1]

    def awaited_line(self, node: cst.CSTNode) -> int:
        """Line of the `await` around it, 0 without one: a coroutine that waits is at that line."""
        parent = self.parent(node)
        return self.first_line(parent) if isinstance(parent, cst.Await) else 0

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node around it, None for the module."""
        return None if node is self.module else self._parents[self._found(node)]

    def around(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around it, innermost first; the module last."""
        outer = self.parent(node)
        while outer is not None:
            yield outer
            outer = self.parent(outer)

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function whose body the node stands in, None at the module's or a class's own level."""
        inner: cst.CSTNode = node
        for outer in self.around(node):
            # Decorators, defaults and annotations belong to the surroundings.
            if isinstance(outer, cst.FunctionDef) and inner is outer.body:
                return outer
            inner = outer
        return None

    def qualified_name(self, node: cst.CSTNode) -> str:
        """The `__qualname__` of the function that the node runs in, lambdas and comprehensions left out."""
        names: list[str] = []
        inner: cst.CSTNode = node
        for outer in self.around(node):
            if isinstance(outer, (cst.FunctionDef, cst.ClassDef)) and inner is outer.body:
                if names and isinstance(outer, cst.FunctionDef):
                    names.append("<locals>")
                names.append(outer.name.value)
            inner = outer
        return ".".join(reversed(names)) or "<module>"

    def indentation(self, line: int) -> str:
        """The white space that a line begins with."""
        text = self.text.split("\n")[line - 1] if line else ""
        return text[: len(text) - len(text.lstrip(" \t"))]


class _Replacing(cst.CSTTransformer):
    """In one pass: a pass makes every node anew, so that a second would find none of them."""

    def __init__(self, mapping: dict[cst.CSTNode, cst.CSTNode]) -> None:
        super().__init__()
        self.mapping = mapping

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> Any:
        """What comes in the node's place."""
        return self.mapping.get(original_node, updated_node)


def last_name(node: cst.CSTNode) -> str:
    """`scalars` of `self.session.scalars`, `Author` of `Author`; empty for anything else."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def dotted(node: cst.CSTNode | None) -> str:
    """`models.Author` of the attribute; empty when it is not made of names alone."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr.value}" if before else ""
    return ""
