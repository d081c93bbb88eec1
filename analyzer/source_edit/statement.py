"""Follows an expression to the place where its statement is made: variables, rebindings, helper functions, also of other files."""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

from .assignments import Assignments, is_bound_around
from .cannot_edit import CannotEdit
from .chain import Chain, chain_of, entities, is_legacy, makes_statement
from .class_attribute import class_attribute
from .helper import Helper, helper_of
from .methods import STATEMENT_METHODS
from .modules import Modules
from .names import Names
from .tree import Tree, dotted, last_name

MOST_STEPS = 6
"""Variables and helpers followed from the execution to the statement."""
ALIASES = ("aliased", "with_polymorphic")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the wanted root. parts: chains it is made of, the one at the execution first, the one that names the root
    last. root: how the source names the root entity, empty when another file does. shared: made elsewhere and used elsewhere
    too, so that only the execution itself may be changed. where: in words, where it is made if not at the execution.
    elsewhere: chains of other files."""

    parts: tuple[Chain, ...]
    root: str
    legacy: bool
    shared: bool = False
    where: str = ""
    elsewhere: tuple[Chain, ...] = ()


class Statements:
    """Looks for statements whose root entity is `root`, an `aliased()` one or not."""

    def __init__(self, tree: Tree, root: str, *, aliased: bool, modules: Modules | None = None) -> None:
        """modules: what the file imports; without them helper functions of the file itself alone are followed."""
        self.tree = tree
        self.root = root
        self.aliased = aliased
        self.modules = modules

    def follow(self, node: cst.BaseExpression, steps: int = 0) -> Statement | None:
        """The statement that an expression stands for; None when it is none of this root. Raises CannotEdit when it is one
        perhaps, but where it is made cannot be told."""
        chain = chain_of(node)
        if steps > MOST_STEPS:
            raise CannotEdit("the statement passes through too many variables to be followed")
        base = chain.base
        if makes_statement(base) or (isinstance(base, cst.Attribute) and base.attr.value == "query"):
            root = self.named(base) or self._mentioned(chain)
            if root is None or not all(name in STATEMENT_METHODS for name in chain.methods):
                return None
            return Statement((chain,), root, is_legacy(base))
        if isinstance(base, cst.Name) and all(name in STATEMENT_METHODS for name in chain.methods):
            return self._variable(base, chain, steps)
        helper = helper_of(chain, self.tree, None if self.aliased else self.modules)
        return self._returned(helper, chain, steps) if helper is not None else None

    def named(self, base: cst.BaseExpression) -> str | None:
        """How a `select()` or `query()` names the root; None when it is not among its entities."""
        return next((name for entity in entities(base) if (name := self.name_of(entity)) is not None), None)

    def _mentioned(self, chain: Chain) -> str | None:
        """How `repository.query().filter(Author.name == …)`, whose own words make it a query of the root, names the root."""
        if self.aliased or not isinstance(chain.base, cst.Call) or chain.base.args:
            return None
        owners = (
            one.value for call in chain.calls for arg in call.args
            for one in m.findall(arg, m.Attribute()) if isinstance(one, cst.Attribute)
        )  # fmt: skip
        return next((dotted(one) for one in owners if dotted(one) and self._is_root(one, dotted(one))), None)

    def name_of(self, entity: cst.BaseExpression) -> str | None:
        """How the source names the root where an expression is that: the class under any name, an alias of it, or an attribute
        of the class around, such as `model = Author`. None when it is something else."""
        name = dotted(entity)
        if name and self._is_root(entity, name):
            return name
        value = class_attribute(self.tree, entity) if name and not self.aliased else None
        return dotted(value) if value is not None and self._is_root(value, dotted(value)) else None

    def _is_root(self, entity: cst.BaseExpression, name: str) -> bool:
        if self.aliased:
            return isinstance(entity, cst.Name) and any(self._is_alias(value) for value, _ in self._values(entity))
        if last_name(entity) == self.root:
            return True
        return isinstance(entity, cst.Name) and any(
            one.name == name and one.kind == "from" and one.original == self.root
            for one in Names(self.tree, entity).all()
        )

    def _is_alias(self, value: cst.BaseExpression | None) -> bool:
        if not isinstance(value, cst.Call) or last_name(value.func) not in ALIASES or not value.args:
            return False
        return last_name(value.args[0].value) == self.root

    def _variable(self, name: cst.Name, chain: Chain, steps: int) -> Statement | None:
        values = list(self._values(name))
        if not values:
            return None
        made: list[Statement] = []
        rebound: list[Chain] = []
        for value, node in values:
            if value is None:
                if steps == 0 and isinstance(node, cst.Param) and not chain.calls:
                    raise CannotEdit(
                        f"the statement comes in as the parameter `{name.value}`: add the option where it is built"
                    )
                return None
            inner = chain_of(value)
            if isinstance(inner.base, cst.Name) and inner.base.value == name.value:
                rebound.append(inner)
                continue
            found = self.follow(value, steps + 1)
            if found is None:
                return None
            made.append(found)
        if not made:
            return None
        if len(made) > 1:
            raise CannotEdit(f"`{name.value}` is built in {len(made)} places: add the option to each that needs it")
        own = {id(one.base) for one in rebound} | {id(name)}
        used = [one for one in self._loads(name) if id(one) not in own]
        line = self.tree.first_line(made[0].parts[-1].node)
        parts = (chain, *reversed(rebound), *made[0].parts)
        where = made[0].where or f"built at line {line}"
        shared = bool(used) or made[0].shared or not self._bound_here(name)
        return Statement(parts, made[0].root, made[0].legacy, shared, where, made[0].elsewhere)

    def _bound_here(self, name: cst.Name) -> bool:
        return bool(Assignments.of(self.tree.function(name) or self.tree.module, name.value))

    def _values(self, name: cst.Name) -> Iterator[tuple[cst.BaseExpression | None, cst.CSTNode]]:
        """(value, node) of everything that binds the name where it is used; a value of None is none that can be read."""
        if is_bound_around(self.tree, name):
            yield None, name
            return
        function = self.tree.function(name)
        while True:
            found = list(Assignments.of(function or self.tree.module, name.value))
            if function is not None and not found:
                function = self.tree.function(function)
                continue
            line = self.tree.first_line(name)
            same = function is self.tree.function(name)
            for value, node in found:
                if not same or isinstance(node, cst.Param) or self.tree.first_line(node) <= line:
                    yield value, node
            return

    def _loads(self, name: cst.Name) -> Iterator[cst.Name]:
        """Other uses of a variable, in the function it is used in."""
        for found in m.findall(self.tree.function(name) or self.tree.module, m.Name(name.value)):
            parent = self.tree.parent(found)
            bound = isinstance(parent, (cst.AssignTarget, cst.AnnAssign, cst.NamedExpr)) and parent.target is found
            attribute = isinstance(parent, cst.Attribute) and parent.attr is found
            keyword = isinstance(parent, cst.Arg) and parent.keyword is found
            if isinstance(found, cst.Name) and not (bound or attribute or keyword):
                yield found

    def _returned(self, helper: Helper, chain: Chain, steps: int) -> Statement | None:
        own = helper.tree is self.tree
        inside = self if own else Statements(helper.tree, self.root, aliased=False, modules=helper.modules)
        function = helper.function
        returns = [
            one for one in m.findall(function.body, m.Return())
            if isinstance(one, cst.Return) and helper.tree.function(one) is function
        ]  # fmt: skip
        if len(returns) != 1 or returns[0].value is None or function.asynchronous is not None:
            return None
        try:
            found = inside.follow(returns[0].value, steps + 1)
        except CannotEdit:
            if own:
                raise
            return None
        if found is None:
            return None
        line = helper.tree.first_line(found.parts[-1].node)
        if own:
            where = f"returned by {function.name.value}(), line {line}"
            return Statement((chain, *found.parts), found.root, found.legacy, True, where, found.elsewhere)
        file = helper.modules.file if helper.modules is not None else "another file"
        where = f"returned by {function.name.value}() of {file}, line {line}"
        return Statement((chain,), "", found.legacy, True, where, (*found.parts, *found.elsewhere))
