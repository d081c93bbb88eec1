"""What `self.model` is where its class says so itself: `model = Author` in the class's body."""

import libcst as cst
import libcst.matchers as m

from .tree import Tree, last_name


def class_attribute(tree: Tree, expression: cst.BaseExpression) -> cst.BaseExpression | None:
    """The value of `self.name` or `cls.name` in the body of the class around it; None when there is not one, or a class of the
    same file is derived from it and may say otherwise."""
    if not isinstance(expression, cst.Attribute) or last_name(expression.value) not in ("self", "cls"):
        return None
    if not isinstance(expression.value, cst.Name):
        return None
    around = next((one for one in tree.around(expression) if isinstance(one, cst.ClassDef)), None)
    if around is None or m.findall(tree.module, m.ClassDef(bases=[m.AtLeastN(n=0), m.Arg(value=m.Name(around.name.value)), m.AtLeastN(n=0)])):  # fmt: skip
        return None
    values = [value for line in around.body.body for value in _assigned(line, expression.attr.value)]
    return values[0] if len(values) == 1 else None


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
