"""The options that bring deferred columns along with a query, built and compiled against the application's own mapped classes."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import defaultload, undefer

MAX_STEPS = 30


def undefer_option(
    root: Any, columns: Sequence[Sequence[str]], present: Sequence[Any], entities: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The options for columns, each given by its steps from the root, such as ("Author.books", "Book.text"), and the present
    options, less those parts of them that defer the same columns.

    root: the mapper or alias that the steps begin at. entities: what the query asks for. Raises whatever the mapper objects.
    """
    options = [_option(list(_attributes(root, steps[:MAX_STEPS]))) for steps in columns]
    taken = [tuple(option.context[-1].path.path) for option in options]
    kept = [left for left in (_without(option, taken) for option in present) if left is not None]
    str(select(*entities).options(*kept, *options).compile())
    return options, kept


def class_named(where: Any, name: str) -> tuple[Any, Any]:
    """The class of that name, below the mapper or alias `where`, as what a query reaches it by, and its mapper; without one of
    the name, where itself."""
    mapper = where.mapper
    owner = next((one for one in mapper.self_and_descendants if one.class_.__name__ == name), mapper)
    if owner is mapper:
        return where, mapper
    # A subclass of a with_polymorphic() entity is reached through it.
    return (inspect(getattr(where.entity, name)) if getattr(where, "is_aliased_class", False) else owner), owner


def _attributes(where: Any, steps: Sequence[str]) -> Iterator[Any]:
    for number, step in enumerate(steps, 1):
        name, _, key = step.rpartition(".")
        reached, mapper = class_named(where, name)
        # As the rule names it: all columns of an alias by the alias, those of its subclasses' instances included.
        alias = len(steps) == 1 and getattr(where, "is_aliased_class", False)
        yield getattr((where if alias else reached).entity, key)
        if number < len(steps):
            where = mapper.relationships[key].mapper


def _option(attributes: Sequence[Any]) -> Any:
    *steps, column = attributes
    option: Any = None
    for step in steps:
        option = defaultload(step) if option is None else option.defaultload(step)
    return undefer(column) if option is None else option.undefer(column)


def _without(option: Any, taken: Sequence[tuple[Any, ...]]) -> Any:
    """The option without what defers a column that is taken, for SQLAlchemy lets no option contradict another; None when
    nothing is left of it."""
    elements = getattr(option, "context", ())
    left = tuple(one for one in elements if not (_defers(one) and any(_same(one.path.path, path) for path in taken)))
    if len(left) == len(elements):
        return option
    if not left:
        return None
    copy = option._generate()
    copy.context = left
    return copy


def _defers(element: Any) -> bool:
    return bool(dict(getattr(element, "strategy", None) or ()).get("deferred"))


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two loader paths lead to the same attribute, be it under the name of a subclass."""
    keys, others = ([getattr(part, "key", None) for part in path[1::2]] for path in (one, other))
    return keys == others and _root(one[0]) is _root(other[0])


def _root(entity: Any) -> Any:
    return entity._base_alias() if getattr(entity, "is_aliased_class", False) else entity.base_mapper
