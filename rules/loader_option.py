"""The option that mends a lazy load at its origin query: as text for the reader, and as an edit where there can be one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..analyzer.query import CallSite, OptionCheck, OrmLoad
from ..analyzer.recommendation import Code, LoaderEdit
from .option_codes import line_code, option_codes
from .source import alias_name

ALIAS = "{root}"
UNNAMED = "alias"
"""Stands for the name of an aliased root where the source does not tell it."""
ALIASED = "contains_eager() of an alias"
"""Stands in the check's problem where the alias is in the way."""
EAGER = {"selectin": "selectinload", "joined": "joinedload", "subquery": "subqueryload", "contains": "contains_eager"}
_RECURSES = "recursion_depth"
_LAZY = {"select": "lazyload", "raise": "raiseload", "raise_on_sql": "raiseload", "noload": "noload", "immediate": "immediateload"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoaderOption:
    """check: the option and what is known of it. form: how the origin query takes it. edit: None with the reason `refused`.
    continues: what an option of the query's own is to be continued with, where only that can be right."""

    check: OptionCheck
    text: str
    edit: LoaderEdit | None
    refused: str | None
    continues: str | None = None

    def codes(self, place: CallSite | None, form: str, root: str | None, stack: Sequence[CallSite]) -> Iterator[Code]:
        """What to paste, the line it belongs to, what to take away, what to import. root, stack: see `option_codes`."""
        if self.continues is not None:
            yield Code("The end of the query's own contains_eager()", "python", self.continues)
        elif self.check.problem is not None:
            yield Code("To be loaded with the query; as it stands here it does not compile", "python", self.text)
        else:
            yield from option_codes(self.text, place, form, None if self.check.aliased else root, stack)
        if self.check.problem is not None:
            yield from line_code(place)
            return
        if self.check.replaces:
            present = ", ".join(f"{name}({attribute})" for name, attribute in self.check.replaces)
            yield Code("It replaces", "python", present)
        if self.check.loaders:
            names = ", ".join(sorted(dict.fromkeys(self.check.loaders)))
            yield Code("Import", "python", f"from sqlalchemy.orm import {names}")


def loader_option(
    path: Sequence[str], to_many: Sequence[bool], loads: Sequence[OrmLoad], place: CallSite | None, form: str
) -> LoaderOption:
    """The option for a relationship path, as the recorded program has built and compiled it, else worked out here.

    path: folded, see `fold`. form: kind of the origin's load: `query`, `get` or `refresh`.
    """
    first = loads[0]
    # The deepest first: of a relationship that is followed over several levels only their option goes all the way.
    checks = [load.check for load in sorted(loads, key=lambda one: -len(one.path)) if load.check is not None]
    check = next((one for one in checks if one.problem is None), None) or next(iter(checks), None)
    if check is not None and check.problem is None and len(set(path)) < len(path) and _RECURSES not in check.option:
        check = None
    check = check or _worked_out(path, to_many, first)
    if not check.option:
        # It could not even be built: the names say what was meant, and the problem why it cannot be.
        check = replace(_worked_out(path, to_many, first), problem=check.problem)
    text = check.option
    if check.aliased:
        name = alias_name(place, first.root) if place is not None and first.root is not None else None
        text = text.replace(ALIAS, name or UNNAMED)
    refused = _refusal(check, first, place, form)
    edit = None
    if refused is None and place is not None and first.root is not None:
        edit = LoaderEdit(
            place, first.root, check.option, check.loaders, check.classes, check.replaces, check.aliased, unique=False
        )
    return LoaderOption(check, text, edit, refused, _continued(check, path, to_many, first))


def fold(path: Sequence[str], to_many: Sequence[bool]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The path with the levels of one self-referential relationship as one step."""
    names: list[str] = []
    many: list[bool] = []
    for name, collection in zip(path, to_many, strict=False):
        if not names or names[-1] != name:
            names.append(name)
            many.append(collection)
    return tuple(names), tuple(many)


def _refusal(check: OptionCheck, load: OrmLoad, place: CallSite | None, form: str) -> str | None:
    if check.problem is not None:
        return f"the option does not compile beside what the query has already ({check.problem})"
    if load.root is None:
        return "the query's root entity is not known"
    if place is None:
        return "the query is sent from outside the application's own code"
    if form == "refresh":
        return "the instance comes from Session.refresh, which takes no options: name the attributes in its attribute_names"
    return None


def _continued(check: OptionCheck, path: Sequence[str], to_many: Sequence[bool], load: OrmLoad) -> str | None:
    """`.selectinload(alias.chapters)` behind `contains_eager(Author.books.of_type(alias))`, whose alias only the source knows."""
    if check.problem is None or ALIASED not in check.problem:
        return None
    steps, many = fold(path, to_many)
    present = present_options(load.options)
    start = max((end for end in range(1, len(steps)) if present.get(steps[:end]) in EAGER), default=0)
    parts = []
    for number, (step, collection) in enumerate(zip(steps[start:], many[start:], strict=True)):
        owner, _, key = step.rpartition(".")
        entity = UNNAMED if number == 0 else owner
        parts.append(f".{'selectinload' if collection else 'joinedload'}({entity}.{key})")
    return f"{''.join(parts)}  # {UNNAMED}: the one that contains_eager() names" if start else None


def _worked_out(path: Sequence[str], to_many: Sequence[bool], load: OrmLoad) -> OptionCheck:
    """Without a compiled option: by the same rules, from the names alone."""
    steps, many = fold(path, to_many)
    present = present_options(load.options)
    parts, replaces, loaders = [], [], []
    for number, (step, collection) in enumerate(zip(steps, many, strict=True)):
        recursive = sum(1 for name in path if name == step) > 1
        strategy = present.get(steps[: number + 1])
        name = "selectinload" if collection or recursive else "joinedload"
        if strategy in EAGER and number < len(steps) - 1:
            name = EAGER[strategy]
        elif strategy in _LAZY:
            replaces.append((_LAZY[strategy], step))
        owner, _, key = step.rpartition(".")
        entity = ALIAS if load.aliased and number == 0 else owner
        parts.append(f"{name}({entity}.{key}{', recursion_depth=-1' if recursive else ''})")
        if number == 0:
            loaders.append(name)
    classes = tuple(dict.fromkeys((step.rpartition(".")[0], "") for step in steps[int(load.aliased) :]))
    return OptionCheck(".".join(parts), None, tuple(loaders), classes, tuple(replaces), load.aliased)


def present_options(options: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Strategy by path of recorded options such as `selectin Author.books > Book.tags`."""
    found = {}
    for option in options:
        strategy, _, steps = option.partition(" ")
        found[tuple(steps.split(" > "))] = strategy
    return found
