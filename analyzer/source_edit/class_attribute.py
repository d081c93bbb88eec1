"""What `self.model` is where its class says so itself: `model = Author` in the class's body."""

import libcst as cst
import libcst.matchers as m

from .tree import Tree, last_name


def class_attribute(tree: Tree, expression: cst.BaseExpression) -> cst.BaseExpression | None:
    """The value of `self.name` or `cls.name` in the body of the class around it; None when there is not one, a class of the same
    file is derived from it and may say otherwise, or an attribute of that name is assigned to elsewhere in the file."""
    if not isinstance(expression, cst.Attribute) or last_name(expression.value) not in ("self", "cls"):
        return None
    if not isinstance(expression.value, cst.Name):
        return None
    around = next((one for one in tree.around(expression) if isinstance(one, cst.ClassDef)), None)
    if around is None or _has_heir(tree, around.name.value) or _is_assigned(tree, expression.attr.value):
        return None
    values = [value for line in around.body.body for value in _assigned(line, expression.attr.value)]
    return values[0] if len(values) == 1 else None


def _has_heir(tree: Tree, name: str) -> bool:
    base = m.Name(name) | m.Subscript(value=m.Name(name))
    return bool(m.findall(tree.module, m.ClassDef(bases=[m.AtLeastN(n=0), m.Arg(value=base), m.AtLeastN(n=0)])))


def _is_assigned(tree: Tree, name: str) -> bool:
    target = m.Attribute(attr=m.Name(name))
    return bool(m.findall(tree.module, m.AssignTarget(target=target) | m.AnnAssign(target=target)))


def _assigned(line: cst.CSTNode, name: str) -> list[cst.BaseExpression]:
    found: list[cst.BaseExpression] = []
    for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
        targets: list[cst.BaseExpression] = []
        if isinstance(small, cst.Assign):
            targets = [one.target for one in small.targets]
        elif isinstance(small, cst.AnnAssign):
            targets = [small.target]
        if isinstance(small, (cst.Assign, cst.AnnAssign)) and small.value is not None:
            found += [small.value for one in targets if last_name(one) == name]
    return found
