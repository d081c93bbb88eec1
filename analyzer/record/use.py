"""What became of the instances of one query line, and how the journal keeps it."""

from json.encoder import encode_basestring_ascii as quote
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from .call_site import CallStack


class Use:
    """What became of the instances that one query line loaded along one path, whoever has called it."""

    __slots__ = (
        "before", "dirty", "entity", "executions", "instances", "keys", "last", "lazy", "loaded", "mapper", "path", "read",
        "relations", "relationships", "run", "stack", "touched",
    )  # fmt: skip

    def __init__(self, stack: CallStack, entity: type, path: tuple[str, ...]) -> None:
        self.stack = stack
        self.entity = entity
        self.path = path
        self.mapper: Mapper[Any] = inspect(entity)
        self.relations = frozenset(self.mapper.relationships.keys())
        self.executions = 0
        self.instances = 0
        self.touched = 0
        self.loaded: set[str] = set()
        self.read: set[str] = set()
        self.lazy: set[str] = set()
        self.relationships: dict[str, list[int]] = {}
        self.keys: tuple[str, ...] = ()
        self.last = 0
        self.run = 0
        """Instances of the last execution."""
        self.before: dict[str, tuple[int, int]] = {}
        """By relationship: an execution that loads it eagerly, and how many had it before."""
        self.dirty = True


class Tag:
    """Rides on an instance: the use it counts for and what has been read of it."""

    __slots__ = ("read", "use")

    def __init__(self, use: Use) -> None:
        self.use = use
        self.read: set[str] = set()


def use_record(use: Use, version: int) -> str:
    """The line of the journal, without its end. version: higher than that of any earlier line of this use."""
    file, line, function = use.stack.sites[0]
    read = use.read | _needed(use)
    # What another statement of the same line left to a lazy load, and what was read then, counts as read.
    relationships = [
        (name, (loaded, count + (name in use.lazy))) for name, (loaded, count) in sorted(use.relationships.items())
    ]
    return (
        f'{{"t":"u","v":{version},"o":[{quote(file)},{line},{quote(function)}],"e":{quote(use.entity.__name__)},'
        f'"path":{_names(use.path)},"x":{use.executions},"n":{use.instances},"to":{use.touched},'
        f'"lo":{_names(sorted(use.loaded))},"re":{_names(sorted(read & use.loaded))},'
        f'"rel":[{",".join(f"[{quote(name)},{loaded},{count}]" for name, (loaded, count) in relationships)}]'
    )


def _needed(use: Use) -> set[str]:
    """Attributes that the ORM itself needs: keys, versions, discriminators, and the near side of relationships in use."""
    mapper = use.mapper
    columns = [*mapper.primary_key, mapper.version_id_col, mapper.polymorphic_on]
    for name in use.relations:
        if name in use.lazy or name in use.relationships:
            columns += mapper.relationships[name].local_columns
    found = set()
    for column in columns:
        if column is not None and column in mapper.columns.values():
            found.add(mapper.get_property_by_column(column).key)
    return found


def _names(names: Any) -> str:
    return "[" + ",".join(quote(name) for name in names) + "]"
