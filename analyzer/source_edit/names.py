"""What a name means at some place of a file: imported, defined, or something else."""

import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import libcst as cst
import libcst.matchers as m

from .tree import Tree, dotted

Kind = Literal["from", "module", "class", "other"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One meaning of a name. kind `from`: `original` imported from `module`; `module`: that module itself; `class`: a class of
    this file. module: dotted, with leading dots when relative. typing: known to type checkers alone."""

    name: str
    kind: Kind
    module: str = ""
    original: str = ""
    typing: bool = False


class Names:
    """The names that code at one place of the file can use."""

    def __init__(self, tree: Tree, place: cst.CSTNode) -> None:
        self.text = tree.text
        self.tree = tree
        self.scopes: list[dict[str, list[Binding]]] = []
        function = tree.function(place)
        while function is not None:
            self.scopes.append(_known(tree, function))
            function = tree.function(function)
        self.scopes.append(_known(tree, tree.module))

    def all(self) -> Iterator[Binding]:
        """What every visible name means; one that is bound in two ways means each of them."""
        seen: set[str] = set()
        for scope in self.scopes:
            for name, bindings in scope.items():
                if name not in seen:
                    yield from bindings
            seen |= set(scope)

    def taken(self, name: str) -> bool:
        """Whether the name means anything here."""
        return any(name in scope for scope in self.scopes)

    def starred(self, name: str) -> bool:
        """Whether the name comes from a `from … import *`: the file uses it, and nothing else binds it."""
        stars = any(one.original == "*" and not one.typing for one in self.all())
        if not stars or self.taken(name) or hasattr(builtins, name):
            return False
        return any(self._is_used(one) for one in m.findall(self.tree.module, m.Name(name)))

    def _is_used(self, node: cst.CSTNode) -> bool:
        parent = self.tree.parent(node)
        if isinstance(parent, cst.Attribute):
            return parent.value is node
        return not (isinstance(parent, cst.Arg) and parent.keyword is node)

    def imported(self, module: str, original: str) -> str | None:
        """The name under which something of another module can be used here, such as `so.selectinload`; None: not at all."""
        found = [one for one in self.all() if not one.typing and self._alone(one.name)]
        for one in found:
            if one.kind == "from" and one.original == original and same_module(one.module, module):
                return one.name
        for one in found:
            if one.kind == "module" and same_module(one.module, module):
                return f"{one.name}.{original}"
        stars = (one for one in found if one.kind == "from" and one.original == "*")
        if any(same_module(one.module, module) for one in stars) and not original.startswith("_"):
            return original
        return None

    def _alone(self, name: str) -> bool:
        first = name.partition(".")[0]
        scope = next((scope for scope in self.scopes if first in scope or name in scope), {})
        return all(one.kind in ("from", "module", "class") for one in scope.get(first, scope.get(name, [])))


def same_module(written: str, module: str) -> bool:
    """Whether an import names the module; `.models` may be any package's."""
    name = written.lstrip(".")
    if not written.startswith("."):
        return name == module
    return bool(name) and (module == name or module.endswith(f".{name}"))


def _known(tree: Tree, node: cst.Module | cst.FunctionDef) -> dict[str, list[Binding]]:
    if node not in tree.scopes:
        tree.scopes[node] = _bindings(node)
    found: dict[str, list[Binding]] = tree.scopes[node]
    return found


def _bindings(node: cst.Module | cst.FunctionDef) -> dict[str, list[Binding]]:
    collector = _Collector()
    if isinstance(node, cst.FunctionDef):
        for group in (node.params.params, node.params.kwonly_params, node.params.posonly_params):
            for parameter in group:
                collector.add(Binding(parameter.name.value, "other"))
        for star in (node.params.star_arg, node.params.star_kwarg):
            if isinstance(star, cst.Param):
                collector.add(Binding(star.name.value, "other"))
    node.body.visit(collector) if isinstance(node, cst.FunctionDef) else node.visit(collector)
    return collector.found


class _Collector(cst.CSTVisitor):
    """Names bound in one scope; inner functions and classes bind their own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[Binding]] = {}
        self._typing = 0

    def add(self, binding: Binding) -> None:
        self.found.setdefault(binding.name, []).append(binding)

    def visit_If(self, node: cst.If) -> bool:
        if dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            self._typing += 1
            node.body.visit(self)
            self._typing -= 1
            if node.orelse is not None:
                node.orelse.visit(self)
            return False
        return True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.add(Binding(node.name.value, "other"))
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.add(Binding(node.name.value, "class"))
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        module = "." * len(node.relative) + dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            self.add(Binding(f"*{module}", "from", module, "*", bool(self._typing)))
            return False
        for alias in node.names:
            name, local = dotted(alias.name), alias.evaluated_alias or dotted(alias.name)
            self.add(Binding(local, "from", module, name, bool(self._typing)))
            # `from . import models` and `from sqlalchemy import orm` may import a module.
            whole = f"{module}{'' if module.endswith('.') else '.'}{name}"
            self.add(Binding(local, "module", whole, "", bool(self._typing)))
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            name = dotted(alias.name)
            self.add(Binding(alias.evaluated_alias or name, "module", name, "", bool(self._typing)))
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self._targets(node.target)
        return False

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        self._targets(node.target)
        return True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> bool:
        self._targets(node.target)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self._targets(node.target)
        return True

    def visit_AsName(self, node: cst.AsName) -> bool:
        self._targets(node.name)
        return False

    def _targets(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.Name):
            self.add(Binding(node.value, "other"))
        elif isinstance(node, (cst.Tuple, cst.List)):
            for element in node.elements:
                self._targets(element.value)
