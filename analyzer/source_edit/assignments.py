"""What binds a name in one scope."""

import libcst as cst
import libcst.matchers as m

from .tree import Tree


class Assignments(cst.CSTVisitor):
    """What binds one name in one scope."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.found: list[tuple[cst.BaseExpression | None, cst.CSTNode]] = []

    @classmethod
    def of(cls, scope: cst.FunctionDef | cst.Module, name: str) -> list[tuple[cst.BaseExpression | None, cst.CSTNode]]:
        """(value, node) of each; a value of None is none that can be read."""
        visitor = cls(name)
        if isinstance(scope, cst.FunctionDef):
            scope.params.visit(visitor)
            scope.body.visit(visitor)
        else:
            scope.visit(visitor)
        return visitor.found

    def _bind(self, target: cst.CSTNode, value: cst.BaseExpression | None, node: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            if target.value == self.name:
                self.found.append((value, node))
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._bind(element.value, None, node)

    def visit_Assign(self, node: cst.Assign) -> bool:
        for target in node.targets:
            self._bind(target.target, node.value, node)
        return True

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        if node.value is not None:
            self._bind(node.target, node.value, node)
        return True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> bool:
        self._bind(node.target, node.value, node)
        return True

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self._bind(node.target, None, node)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self._bind(node.target, None, node)
        return True

    def visit_AsName(self, node: cst.AsName) -> bool:
        self._bind(node.name, None, node)
        return True

    def visit_Param(self, node: cst.Param) -> bool:
        self._bind(node.name, None, node)
        return True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False


def is_bound_around(tree: Tree, name: cst.Name) -> bool:
    """Whether a lambda or a comprehension around the name binds it itself, so that it is not the function's variable."""
    for outer in tree.around(name):
        if isinstance(outer, cst.FunctionDef):
            return False
        if isinstance(outer, cst.Lambda) and m.findall(outer.params, m.Param(name=m.Name(name.value))):
            return True
        if isinstance(outer, cst.BaseComp):
            loops = [one for one in m.findall(outer.for_in, m.CompFor()) if isinstance(one, cst.CompFor)]
            if any(m.findall(one.target, m.Name(name.value)) for one in loops):
                return True
    return False
