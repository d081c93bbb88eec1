"""The loader option that mends a lazy load, built and compiled against the application's own mapped classes.

Asked once for each (recorder, origin query, relationship path), when a second instance of that query loads the same relationship: so an
application without the fault pays nothing, and one with it a few compilations in all. No statement is sent.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import (
    FromStatement,
    InstanceState,
    contains_eager,
    joinedload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
)
from sqlalchemy.orm.interfaces import UserDefinedOption

MAX_PATHS = 2_000
"""Paths remembered in one process; later ones are reported without a check."""
MAX_STEPS = 30
ROOT = "{root}"
"""Stands in the option's text for the name of an aliased root, which only the source knows."""

_first: dict[tuple[Any, ...], object] = {}
_DONE = object()


def option_check(
    state: Any,
    origin: tuple[str, object],
    options: Sequence[Any] = (),
    entity: type | None = None,
    *,
    joins: bool = True,
) -> dict[str, object] | None:
    """What to add at the origin query, as the journal keeps it; None when it is too early to ask, or was asked before.

    state: the ORMExecuteState of a lazy load. origin: the recorder, and where the query was executed that loaded the instance; hashable.
    options: that query's own, of which contains_eager() is not handed on to the instances. entity: the class it asks for. joins:
    whether the ORM can add joins to it.
    Fields: `opt` text of the option, `ok` whether it compiled, `why` not, `orm` names to import from sqlalchemy.orm, `cls`
    (class, module) pairs that the text names, `rep` (loader function, attribute) pairs it must replace, `al` aliased root.
    """
    parent: InstanceState[Any] | None = state.lazy_loaded_from
    path = getattr(state.loader_strategy_path, "path", ())
    if parent is None or parent.key is None or not path:
        return None
    # An alias may be made anew for every request: its mapper stands for it.
    key = (origin, *(id(part.mapper) if getattr(part, "is_aliased_class", False) else id(part) for part in path))
    first = _first.get(key)
    if first is None:
        if len(_first) < MAX_PATHS:
            _first[key] = parent.key
        return None
    if first is _DONE or first == parent.key:
        return None
    _first[key] = _DONE
    joined = [one for one in options if any(strategy in _CONTAINS for _, strategy in _elements(one))]
    present = [*parent.load_options, *(one for one in joined if one not in parent.load_options)]
    chain, problem, _ = _compiled(path, present, entity, joins)
    return chain.told(problem)


def can_join(statement: Any) -> bool:
    """Whether the ORM can add joins to it: not to what a text selects, nor to what RETURNING gives back, nor where FOR UPDATE
    would lock the joined rows too, which PostgreSQL refuses for an outer join."""
    if not statement.is_select or isinstance(statement, FromStatement):
        return False
    lock = getattr(statement, "_for_update_arg", None)
    return lock is None or bool(lock.of)


def forget(recorder: str) -> None:
    """Its journal is closed: another one is told anew."""
    for key in [key for key in _first if key[0][0] == recorder]:
        del _first[key]


def loader_option(
    path: Sequence[Any], present: Sequence[Any], entity: type, *, joins: bool = True
) -> tuple[list[Any], list[Any]]:
    """The options for a loader path (mapper, relationship, mapper, relationship …) of a query of the entity, as objects, and
    those of the present options that may stay beside them. joins: whether the ORM can add joins to that query.

    Raises ValueError with the mapper's objection when they do not compile.
    """
    chain, problem, kept = _compiled(path, present, entity, joins)
    if problem is not None:
        raise ValueError(problem)
    return [*chain.before, chain.option], kept


def _compiled(
    path: Sequence[Any], load_options: Any, entity: type | None, joins: bool
) -> tuple["_Chain", str | None, list[Any]]:
    steps = list(zip(path[::2], path[1::2], strict=False))[:MAX_STEPS]
    present = [one for one in load_options if not isinstance(one, UserDefinedOption)]
    used = _strategies(present)
    base = _base(steps[0][0], entity)
    first: tuple[_Chain, str | None, list[Any]] | None = None
    for by_type in (True, False):
        chain = _Chain(steps, used, by_type, joins)
        try:
            if base is not None:
                chain.load_as(base, present)
            chain.build()
            kept = [one for one in present if not chain.conflicts(one)]
            str(select((base or steps[0][0]).entity).options(*kept, *chain.before, chain.option).compile())
        except Exception as error:  # noqa: BLE001 - whatever the mapper objects to is the answer, told in the finding
            first = first or (chain, f"{type(error).__name__}: {error}"[:300], [])
        else:
            return chain, None, kept
    assert first is not None
    return first


class _Chain:
    def __init__(
        self, steps: list[tuple[Any, Any]], used: dict[tuple[Any, ...], str], by_type: bool, joins: bool
    ) -> None:
        self.steps, self.used, self.by_type, self.joins = steps, used, by_type, joins
        self.option: Any = None
        self.before: list[Any] = []
        self.given_way: list[Any] = []
        self.text = ""
        self.imports: list[str] = []
        self.classes: dict[str, str] = {}
        self.replaces: list[tuple[str, str]] = []
        self.replaced: set[tuple[Any, ...]] = set()
        self.aliased = bool(getattr(steps[0][0], "is_aliased_class", False))

    def load_as(self, base: Any, present: Sequence[Any]) -> None:
        """The query asks for a base class: unless it loads the subclass as such, it pays no heed to options of the subclass."""
        subclass = self.steps[0][0]
        there = [(option, found) for option in present for found in _subclasses(option, base)]
        if (
            subclass in base.with_polymorphic_mappers
            or subclass.polymorphic_load == "selectin"
            or any(subclass in found for _, found in there)
        ):
            return
        # The mapper takes one such option of a class: it names those that are loaded already as well.
        self.given_way = [option for option, _ in there]
        classes = [*(one for _, found in there for one in found), subclass]
        classes = sorted(dict.fromkeys(classes), key=lambda one: one.class_.__name__)
        self.before = [selectin_polymorphic(base.entity, [one.entity for one in classes])]
        names = ", ".join(self._entity(one, 0) for one in classes)
        self.text = f"selectin_polymorphic({self._entity(base, 0)}, [{names}]), "
        self.imports.append("selectin_polymorphic")

    def build(self) -> None:
        done: tuple[Any, ...] = ()
        steps = self._folded()
        for number, (entity, prop, depth) in enumerate(steps):
            done = (*done, prop)
            last = number == len(steps) - 1
            name = self._loader(prop, done, depth, last)
            attribute = getattr(entity.entity, prop.key)
            following = steps[number + 1][0] if not last else None
            text = f"{self._entity(entity, number)}.{prop.key}"
            if self.by_type and following is not None and _other_type(following, prop.mapper):
                attribute = attribute.of_type(following.entity)
                text += f".of_type({self._entity(following, number + 1)})"
            keywords: dict[str, Any] = {"recursion_depth": -1} if depth else {}
            text += ", recursion_depth=-1" if depth else ""
            if self.option is None:
                self.option = _LOADERS[name](attribute, **keywords)
                self.imports.append(name)
            else:
                self.option = getattr(self.option, name)(attribute, **keywords)
                self.text += "."
            self.text += f"{name}({text})"

    def _folded(self) -> list[tuple[Any, Any, bool]]:
        """Steps with the levels of one self-referential relationship folded into one that recurses."""
        folded: list[tuple[Any, Any, bool]] = []
        for entity, prop in self.steps:
            if folded and folded[-1][1] is prop:
                folded[-1] = (folded[-1][0], prop, True)
            else:
                folded.append((entity, prop, False))
        return folded

    def _loader(self, prop: Any, done: tuple[Any, ...], recursive: bool, last: bool) -> str:
        """selectinload for collections and recursion, joinedload for scalars; an eager loader that is there already stays."""
        present = self.used.get(done)
        joined = not prop.uselist and not recursive and (self.joins or len(done) > 1)
        wanted = "joinedload" if joined else "selectinload"
        if present is None:
            return wanted
        if present == ALIASED:
            raise ValueError("contains_eager() of an alias: continue that option by hand")
        if not last and present in _EAGER:
            return _EAGER[present]
        owner = prop.parent.class_.__name__
        self.replaces.append((_LAZY.get(present, present), f"{owner}.{prop.key}"))
        self.replaced.add(done)
        return wanted

    def conflicts(self, option: Any) -> bool:
        return any(one is option for one in self.given_way) or any(
            path in self.replaced for path, _ in _elements(option)
        )

    def _entity(self, entity: Any, number: int) -> str:
        if number == 0 and self.aliased:
            base = getattr(entity, "_base_alias", lambda: entity)()
            # A subclass of a with_polymorphic() entity is reached through it: `everyone.Manager`.
            return ROOT if base is entity else f"{ROOT}.{entity.class_.__name__}"
        owner = entity.class_ if hasattr(entity, "class_") else entity.entity
        name: str = owner.__qualname__.rpartition("<locals>.")[2]
        self.classes[name.partition(".")[0]] = owner.__module__
        return name

    def told(self, problem: str | None) -> dict[str, object]:
        told: dict[str, object] = {
            "opt": self.text, "ok": problem is None, "orm": self.imports, "cls": [list(one) for one in self.classes.items()]
        }  # fmt: skip
        if problem is not None:
            told["why"] = problem
        if self.replaces:
            told["rep"] = [list(one) for one in self.replaces]
        if self.aliased:
            told["al"] = True
        return told


_LOADERS: dict[str, Any] = {
    "selectinload": selectinload, "joinedload": joinedload, "subqueryload": subqueryload, "contains_eager": contains_eager
}  # fmt: skip
CONTAINED = "contains"
"""Strategy of contains_eager(): to the mapper it is `joined`, and in conflict with joinedload of the same relationship."""
ALIASED = "contains alias"
_CONTAINS = (CONTAINED, ALIASED)
_EAGER = {"selectin": "selectinload", "joined": "joinedload", "subquery": "subqueryload", CONTAINED: "contains_eager"}
_LAZY = {"select": "lazyload", "raise": "raiseload", "raise_on_sql": "raiseload", "noload": "noload", **_EAGER}


def _base(first: Any, entity: type | None) -> Any:
    """The mapper of the class that the query asks for, when the path begins at a subclass of it."""
    if entity is None or getattr(first, "is_aliased_class", False) or first.class_ is entity:
        return None
    return inspect(entity) if issubclass(first.class_, entity) else None


def _subclasses(option: Any, base: Any) -> Iterator[tuple[Any, ...]]:
    """Mappers that a `selectin_polymorphic(base, …)` among the options loads."""
    for element in getattr(option, "context", ()):
        strategy = dict(getattr(element, "strategy", None) or ())
        path = getattr(getattr(element, "path", None), "path", ())
        if "selectinload_polymorphic" in strategy and path[:1] == (base,):
            yield tuple((getattr(element, "local_opts", None) or {}).get("entities", ()))


def _other_type(following: Any, target: Any) -> bool:
    return getattr(following, "mapper", None) is not target


def _strategies(options: Sequence[Any]) -> dict[tuple[Any, ...], str]:
    """Loader strategy by the relationships that lead to it, for the options that a query carries."""
    return {path: strategy for option in options for path, strategy in _elements(option)}


def _elements(option: Any) -> list[tuple[tuple[Any, ...], str]]:
    """(relationships, strategy) of each step of one loader option; nothing for one that is built in another way."""
    found = []
    for element in getattr(option, "context", ()):
        strategy = dict(getattr(element, "strategy", None) or ()).get("lazy")
        path = getattr(getattr(element, "path", None), "path", ())
        relationships = tuple(part for part in path if hasattr(part, "uselist"))
        known = getattr(element, "local_opts", None) or {}
        if strategy and "eager_from_alias" in known:
            aliased = any(getattr(part, "is_aliased_class", False) for part in path[1:])
            strategy = ALIASED if aliased or known["eager_from_alias"] is not None else CONTAINED
        if strategy and relationships:
            found.append((relationships, "select" if strategy is True else str(strategy)))
    return found
