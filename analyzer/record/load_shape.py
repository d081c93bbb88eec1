"""What all loads of one kind, path and origin have in common, as the journal keeps it once."""

from collections.abc import Collection, Iterator
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, inspect
from sqlalchemy.orm import Mapper

from .option_check import CONTAINED

if TYPE_CHECKING:
    from .orm import Load

MAX_SHAPES = 10_000
"""Descriptions that are remembered; later ones are worked out each time."""
MAX_STEPS = 30
MAX_OPTIONS = 20
MAX_ATTRIBUTES = 100


class Shape:
    """The part of a load's description that all loads of one kind, path and origin have in common. Compared by identity."""

    __slots__ = ("inside", "relationship")

    def __init__(self, inside: str, relationship: str | None) -> None:
        self.inside = inside
        self.relationship = relationship


shapes: dict[tuple[object, ...], Shape] = {}
_names: dict[tuple[object, ...], tuple[str, ...]] = {}


def query_shape(
    kind: str,
    entity: type | None,
    options: tuple[object, ...],
    *,
    aliased: bool,
    streamed: bool,
    renews: bool,
    columns: bool,
) -> Shape:
    """Of a top-level query. options: as of `options_key`; renews: it asks for populate_existing; columns: not for instances
    alone, but for columns, expressions or several things in a row."""
    name = quote(entity.__name__) if entity is not None else "null"
    texts = [*_option_texts(options), *(["populate_existing"] if renews else [])]
    listed = ",".join(quote(text[:200]) for text in texts)
    inside = f'"k":"{kind}","e":{name}{_renamed(entity)}'
    inside += ',"co":true' if columns else ""
    inside += f',"root":{name}'
    inside += ',"al":true' if aliased else ""
    inside += ',"yp":true' if streamed else ""
    inside += f',"op":[{listed}]' if listed else ""
    return Shape(inside, None)


def load_shape(
    kind: str,
    cause: str | None,
    entity: type | None,
    path: tuple[object, ...],
    origin: "Load | None",
    attributes: Collection[str],
) -> Shape:
    steps = list(_steps(path))[:MAX_STEPS]
    owner = None
    named = _named(path, origin) if cause is not None else None
    if attributes and entity is not None and named is not None and issubclass(entity, named):
        owner = _owner(entity, named, attributes, mixed=cause == "deferred")
        # Below a relationship, an option for what the class has that it leads to may not name a subclass of that one.
        entity = entity if owner is not None or cause == "expired" else named
    inside = f'"k":"{kind}","e":{quote(entity.__name__) if entity is not None else "null"}'
    inside += f',"path":[{",".join(quote(name) for name, _ in steps)}]'
    inside += f',"many":[{",".join("true" if many else "false" for _, many in steps)}]'
    if cause is not None:
        inside += f',"c":"{cause}"'
    if owner is not None:
        inside += f',"ow":{quote(owner)}'
    if kind in ("column", "refresh"):
        inside += _renamed(entity)
    if attributes and cause != "expired":
        inside += f',"at":[{",".join(map(quote, sorted(attributes)[:MAX_ATTRIBUTES]))}]'
    if origin is not None:
        # The origin's own description follows its kind: root, aliased, streamed, options.
        _, _, rest = origin.shape.inside.partition(',"root":')
        inside += f',"root":{rest}'
        first: Any = path[0] if path else None
        if first is not None and first.mapper.class_ is not origin.entity and not _is_same(first, origin.entity):
            # A query of several entities: the path begins at another than the first. The last of equal names stands.
            inside += (
                f',"root":{quote(first.mapper.class_.__name__)},"al":{"true" if first.is_aliased_class else "false"}'
            )
        if origin.stack.sites:
            file, line, function = origin.stack.sites[0]
            inside += f',"o":[{quote(file)},{line},{quote(function)}]'
    return Shape(inside, steps[-1][0] if steps and kind == "lazy" else None)


def _renamed(entity: type | None) -> str:
    """The field that names columns whose attributes are called otherwise; empty where there are none."""
    mapper: Any = inspect(entity, raiseerr=False) if entity is not None else None
    if mapper is None:
        return ""
    found = {
        column.name: prop.key
        for prop in mapper.column_attrs
        for column in prop.columns
        if isinstance(column, Column) and not _is_called(mapper, column.name)
    }
    listed = ",".join(f"{quote(name)}:{quote(found[name])}" for name in sorted(found)[:MAX_ATTRIBUTES])
    return f',"rn":{{{listed}}}' if listed else ""


def _is_called(mapper: Any, name: str) -> bool:
    """Whether an attribute is called like the column that it stands for; it may stand for another one."""
    attribute = mapper.column_attrs.get(name)
    return attribute is not None and any(getattr(one, "name", None) == name for one in attribute.columns)


def _named(path: tuple[object, ...], origin: "Load | None") -> type | None:
    """The class that an option names by which the columns come: what the last relationship leads to, else the query's root."""
    reached = [part.mapper.class_ for part in path if getattr(part, "uselist", None) is not None]  # type: ignore[attr-defined] # a relationship
    return reached[-1] if reached else origin.entity if origin is not None else None


def _owner(entity: type, named: type, attributes: Collection[str], *, mixed: bool) -> str | None:
    """The subclass that has these columns, where the class that the query names has not: that one can be given no option for them.
    mixed: some of them suffice."""
    found: Any = inspect(entity)
    if not mixed and all(_renewed(found.columns.get(name)) for name in attributes):
        return None
    owners: set[type] = {found.attrs[name].parent.class_ for name in attributes if name in found.attrs}
    below = [one for one in owners if issubclass(one, named) and one is not named]
    if len(below) == len(owners) == 1:
        return below[0].__name__
    return entity.__name__ if below and (mixed or len(below) == len(owners)) else None


def _renewed(column: Any) -> bool:
    """Whether an UPDATE gives it a value that only the database knows: then it has expired, and was not left out."""
    return column is not None and (
        getattr(column, "onupdate", None) is not None or getattr(column, "server_onupdate", None) is not None
    )


def _is_same(first: Any, entity: type | None) -> bool:
    """Whether the path begins at the query's first entity, though under the name of a base class or of a subclass."""
    base = first._base_alias() if first.is_aliased_class else None
    if base is first or entity is None:
        return False
    return issubclass(first.mapper.class_, entity) or issubclass(entity, first.mapper.class_)


def _steps(path: tuple[object, ...]) -> Iterator[tuple[str, bool]]:
    """The relationships of a loader path: ("Project.task_refs", leads to a collection)."""
    for part in path:
        many = getattr(part, "uselist", None)
        if many is not None:
            yield f"{part.parent.class_.__name__}.{part.key}", bool(many)  # type: ignore[attr-defined] # a relationship


def options_key(options: tuple[Any, ...]) -> tuple[object, ...]:
    """The loader options of a statement in a form that can be compared: (strategy, path) of each step."""
    found: list[object] = []
    for option in options:
        for element in getattr(option, "context", ()):
            path = getattr(element, "path", None)
            if path is not None:
                contained = "eager_from_alias" in (getattr(element, "local_opts", None) or {})
                strategy = (("lazy", CONTAINED),) if contained else getattr(element, "strategy", None)
                found.append((strategy, getattr(path, "path", ())))
    return tuple(found)


def _option_texts(key: tuple[Any, ...]) -> Iterator[str]:
    """Such as `selectin Author.books > Book.tags` or `defer Author.bio`."""
    for strategy, path in key[:MAX_OPTIONS]:
        names = []
        for part in path:
            parent = getattr(part, "parent", None)
            name = getattr(part, "key", None)
            if name is not None and isinstance(parent, Mapper):
                names.append(f"{parent.class_.__name__}.{name}")
            elif isinstance(part, str):
                names.append(part.rpartition(":")[2])
        yield f"{_strategy_name(strategy)} {' > '.join(names)}".strip()


def _strategy_name(strategy: Any) -> str:
    parts = dict(strategy) if strategy else {}
    if "lazy" in parts:
        return str(parts["lazy"])
    if "deferred" in parts:
        return "defer" if parts["deferred"] else "load"
    return next(iter(parts), "option")


def remember(key: tuple[object, ...], shape: Shape) -> Shape:
    if len(shapes) < MAX_SHAPES:
        shapes[key] = shape
    return shape


def step_names(path: tuple[object, ...]) -> tuple[str, ...]:
    """The relationships of a loader path, such as ("Project.task_refs", "TaskRef.creator")."""
    names = _names.get(path)
    if names is None:
        names = tuple(name for name, _ in _steps(path))
        if len(_names) < MAX_SHAPES:
            _names[path] = names
    return names
