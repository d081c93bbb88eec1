"""The text of a loader option, checked and put into the names that a file uses."""

import re
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

from ..recommendation import LoaderEdit
from .cannot_edit import CannotEdit
from .names import Names
from .tree import dotted

ORM = "sqlalchemy.orm"
LOADERS = frozenset(
    "selectinload joinedload subqueryload lazyload raiseload noload immediateload defaultload contains_eager load_only "
    "defer undefer undefer_group selectin_polymorphic with_expression".split()
)
POLYMORPHIC = "selectin_polymorphic"
KEYWORDS = frozenset(("recursion_depth", "raiseload", "innerjoin", "sql_only", "chunksize"))
ALIAS = "queryproof_alias"
"""Stands for `{root}` while the text is parsed."""
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Import:
    """A name that the option needs and the file lacks."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Option:
    """expressions: the options to add, in the file's own names. imports: what the file must import for them."""

    expressions: tuple[cst.BaseExpression, ...]
    imports: tuple[Import, ...]


def option_for(edit: LoaderEdit, names: Names, root: str) -> Option:
    """The edit's option for a place whose names are known. root: how the statement there names its root, empty when
    another file does.

    Raises CannotEdit when the text is anything but calls of loaders: it comes from a file, and goes into the user's code.
    """
    if not edit.option:
        return Option((), ())
    try:
        whole = cst.ensure_type(cst.parse_expression(f"({edit.option.replace('{root}', ALIAS)},)"), cst.Tuple)
    except Exception:  # noqa: BLE001 - the parser has several exceptions, and the type check one of its own
        raise CannotEdit(f"the option {edit.option!r} is not an expression") from None
    expressions = [element.value for element in whole.elements]
    if not expressions or not all(_is_option(one) for one in expressions):
        raise CannotEdit(f"the option {edit.option!r} is not made of loader options alone")
    renaming = _Renaming(edit, names, root)
    renamed = cst.ensure_type(whole.visit(renaming), cst.Tuple)
    return Option(tuple(element.value for element in renamed.elements), tuple(dict.fromkeys(renaming.imports)))


def continues(option: cst.BaseExpression, begun: cst.BaseExpression) -> bool:
    """Whether an option is another one and further steps, or the same: it then stands for both."""
    first, whole = steps_of(begun), steps_of(option)
    node: cst.BaseExpression = begun
    while isinstance(node, cst.Call):
        if len(node.args) != 1:
            return False
        node = node.func.value if isinstance(node.func, cst.Attribute) else node.func
    return bool(first) and whole[: len(first)] == first


def steps_of(option: cst.BaseExpression) -> list[tuple[str, str]]:
    """(loader, attribute) of each step of an option in source: `("selectinload", "Author.books")`; empty for anything else."""
    steps: list[tuple[str, str]] = []
    node: cst.BaseExpression = option
    while isinstance(node, cst.Call):
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else dotted(node.func)
        attribute = _attribute(node.args[0].value) if node.args else ""
        steps.append((name, attribute))
        inner = node.func.value if isinstance(node.func, cst.Attribute) else None
        node = inner if isinstance(inner, cst.Call) else cst.Name("done")
    return steps[::-1]


def _attribute(node: cst.BaseExpression) -> str:
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        node = node.func.value
    return ".".join(dotted(node).split(".")[-2:])


def _is_option(node: cst.BaseExpression) -> bool:
    if not isinstance(node, cst.Call):
        return False
    if isinstance(node.func, cst.Attribute):
        if node.func.attr.value not in LOADERS | {"options"} or not _is_option(node.func.value):
            return False
        if node.func.attr.value == POLYMORPHIC:
            return len(node.args) == 1 and _is_class_list(node.args[0])
    elif dotted(node.func) not in LOADERS:
        return False
    elif dotted(node.func) == POLYMORPHIC:
        return _is_polymorphic(node)
    return all(_is_argument(arg) for arg in node.args)


def _is_polymorphic(node: cst.Call) -> bool:
    """`selectin_polymorphic(Person, [Teacher])`: the one loader whose arguments are classes; behind a step the first is left out."""
    if len(node.args) != 2 or node.args[0].star or node.args[0].keyword is not None:
        return False
    return bool(dotted(node.args[0].value)) and _is_class_list(node.args[1])


def _is_class_list(arg: cst.Arg) -> bool:
    classes = arg.value
    plain = not arg.star and arg.keyword is None
    return plain and isinstance(classes, cst.List) and all(dotted(element.value) for element in classes.elements)


def _is_argument(arg: cst.Arg) -> bool:
    if arg.star:
        return False
    if arg.keyword is not None:
        return arg.keyword.value in KEYWORDS and m.matches(
            arg.value, m.Integer() | m.UnaryOperation(expression=m.Integer()) | m.Name("True") | m.Name("False")
        )
    return _is_attribute(arg.value) or _is_option(arg.value)


def _is_attribute(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Call):
        typed = isinstance(node.func, cst.Attribute) and node.func.attr.value == "of_type"
        return typed and _is_attribute(node.func.value) and len(node.args) == 1 and bool(dotted(node.args[0].value))  # type: ignore[attr-defined] # an Attribute, as `typed` says
    return "." in dotted(node)


class _Renaming(cst.CSTTransformer):
    def __init__(self, edit: LoaderEdit, names: Names, root: str) -> None:
        super().__init__()
        self.edit = edit
        self.names = names
        self.root = root
        self.classes = dict(edit.classes)
        self.imports: list[Import] = []

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if isinstance(original_node.func, cst.Name):
            return updated_node.with_changes(func=self._local(ORM, original_node.func.value))
        return updated_node

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        first = original_node.value
        return (
            updated_node.with_changes(value=self._class(first.value)) if isinstance(first, cst.Name) else updated_node
        )

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        value = original_node.value
        # A class by itself, as in `of_type(Manager)`.
        if original_node.keyword is None and isinstance(value, cst.Name):
            return updated_node.with_changes(value=self._class(value.value))
        return updated_node

    def leave_Element(self, original_node: cst.Element, updated_node: cst.Element) -> cst.Element:
        value = original_node.value
        return (
            updated_node.with_changes(value=self._class(value.value)) if isinstance(value, cst.Name) else updated_node
        )

    def _class(self, name: str) -> cst.BaseExpression:
        if name == ALIAS:
            return cst.parse_expression(self.root)
        if name == self.edit.root and self.root and not self.edit.aliased:
            return cst.parse_expression(self.root)
        if any(one.name == name and one.kind == "class" for one in self.names.all()):
            return cst.Name(name)
        module = self.classes.get(name, "")
        if not module and any(one.name == one.original == name and not one.typing for one in self.names.all()):
            return cst.Name(name)
        if self.names.starred(name):
            return cst.Name(name)
        if not _DOTTED.fullmatch(module):
            raise CannotEdit(f"where the class {name} is defined is not known")
        return self._local(module, name)

    def _local(self, module: str, name: str) -> cst.BaseExpression:
        local = self.names.imported(module, name) or self._through_package(module, name)
        if local is None:
            # Another module may hand the class on: `from shop import Author`, although shop.models defines it.
            handed_on = [one for one in self.names.all() if one.name == one.original == name and not one.typing]
            if module != ORM and len(handed_on) == 1:
                return cst.Name(name)
            if any(one.typing for one in self.names.all() if one.name == name):
                raise CannotEdit(f"{name} is imported for type checkers alone: import it from {module} first")
            if self.names.taken(name):
                raise CannotEdit(
                    f"{name} means something else in this file: import it from {module} under another name"
                )
            if module == "__main__" or "<locals>" in name:
                raise CannotEdit(f"{name} is defined in the program's main script and cannot be imported from it")
            self.imports.append(Import(module, name))
            return cst.Name(name)
        return cst.parse_expression(local)

    def _through_package(self, module: str, name: str) -> str | None:
        """`sa.orm.selectinload`, where the file reaches loaders in that way and in no other."""
        bound = list(self.names.all())
        if module != ORM or any(one.kind == "from" and one.module == ORM for one in bound):
            return None
        packages = (one.name for one in bound if one.kind == "module" and one.module == ORM.partition(".")[0])
        return next((f"{one}.orm.{name}" for one in packages if f"{one}.orm." in self.names.text), None)
