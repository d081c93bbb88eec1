"""Finds the function that makes a statement for its caller: of the same file, or of a module that the file imports."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import libcst as cst
import libcst.matchers as m

from .chain import Chain
from .methods import STATEMENT_METHODS
from .names import Binding, Names
from .tree import Tree, dotted

if TYPE_CHECKING:
    from .modules import Modules

MOST_IMPORTS = 3
"""Modules that a function is handed on through, as packages do with what they offer."""


@dataclass(frozen=True, slots=True)
class Helper:
    """tree, modules: those of the file that defines the function; tree is the caller's own where that is the same file."""

    function: cst.FunctionDef
    tree: Tree
    modules: "Modules | None"


def helper_of(chain: Chain, tree: Tree, modules: "Modules | None") -> Helper | None:
    """The function that a chain begins with: `all_authors()`, `self.all_authors()`, `queries.all_authors()` of an imported
    module or class. None when it is no such call, or which function it is cannot be told."""
    base, methods = chain.base, chain.methods
    if isinstance(base, cst.Call) and isinstance(base.func, cst.Name):
        wanted, owner = base.func.value, ""
    elif dotted(base) and methods:
        wanted, owner, methods = methods[0], dotted(base), methods[1:]
    else:
        return None
    if not all(name in STATEMENT_METHODS for name in methods):
        return None
    if modules is not None and owner not in ("self", "cls"):
        imported = _imported(Names(tree, base), modules, owner, wanted, 0)
        if imported is not None:
            return imported
    if owner in ("", "self", "cls"):
        return _only(m.findall(tree.module, m.FunctionDef(name=m.Name(wanted))), tree, modules)
    return _member(tree, modules, owner, wanted)


def _imported(names: Names, modules: "Modules", owner: str, wanted: str, steps: int) -> Helper | None:
    """What the owner's name, or without one the function's own, is imported as."""
    bound = list(names.all())
    package, _, inner = owner.rpartition(".")
    known = [one for one in bound if one.name == (owner or wanted)]
    if not known and package:
        # A class of an imported module.
        known = [replace(one, kind="from", original=inner) for one in bound if one.name == package]
    if steps > MOST_IMPORTS or not all(one.kind in ("from", "module") for one in known):
        return None
    for one in known:
        found = modules.find(one.module) if owner or one.kind == "from" else None
        helper = _offered(one, owner, wanted, *found, steps) if found is not None else None
        if helper is not None:
            return helper
    return None


def _offered(one: Binding, owner: str, wanted: str, tree: Tree, modules: "Modules", steps: int) -> Helper | None:
    """The function in the module that a name is imported from, or in one that this module imports it from."""
    if one.kind == "module":
        return _at_top(tree, modules, wanted)
    helper = _member(tree, modules, one.original, wanted) if owner else _at_top(tree, modules, one.original)
    if helper is not None:
        return helper
    inner = (one.original, wanted) if owner else ("", one.original)
    return _imported(Names(tree, tree.module.body[0]), modules, *inner, steps + 1)


def _at_top(tree: Tree, modules: "Modules | None", name: str) -> Helper | None:
    return _only([one for one in tree.module.body if isinstance(one, cst.FunctionDef) and one.name.value == name], tree, modules)  # fmt: skip


def _member(tree: Tree, modules: "Modules | None", owner: str, name: str) -> Helper | None:
    """A method of a class at the file's own level."""
    for one in tree.module.body:
        if isinstance(one, cst.ClassDef) and one.name.value == owner:
            body = one.body.body
            return _only([each for each in body if isinstance(each, cst.FunctionDef) and each.name.value == name], tree, modules)  # fmt: skip
    return None


def _only(found: Iterable[object], tree: Tree, modules: "Modules | None") -> Helper | None:
    functions = [one for one in found if isinstance(one, cst.FunctionDef)]
    return Helper(functions[0], tree, modules) if len(functions) == 1 else None
