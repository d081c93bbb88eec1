"""Counts distinct root entities of queries with joined eager loads of collections, and what each collection brings along: their
rows are more than their roots.

Only classes that such a query has loaded are listened to, so that other queries pay nothing for it.
"""

import weakref
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper

from .faults import armed, reach
from .orm import Load, loaded_by
from .records import MANY

if TYPE_CHECKING:
    from .recorder import Recorder


class Roots:
    """The counts of one recorder."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = weakref.proxy(recorder)
        self._option = recorder.option
        self._classes: weakref.WeakSet[type] = weakref.WeakSet()
        self.pending: dict[Load, None] = {}
        """Loads whose counts are to be written."""

    def executed(self, load: Load, context: Any) -> None:
        """A top-level query has been sent; its rows are not instances yet."""
        if self.pending:
            self.write()
        if load.entity is None or not getattr(getattr(context.compiled, "compile_state", None), MANY, False):
            return
        if armed:
            reach("recorder.roots")
        load.roots, load.members = 0, {}
        for entity in (load.entity, *_members(load.entity)):
            if entity not in self._classes:
                self._classes.add(entity)
                event.listen(entity, "load", self._loaded, propagate=True)

    def _loaded(self, instance: Any, context: Any) -> None:
        try:
            load = loaded_by(context, self._option)
            if load is None or type(load.roots) is not int:
                return
            state = instance._sa_instance_state
            # A root stands at the beginning of the path, an instance of the same class further in does not.
            path = state.load_path.path
            if len(path) > 1:
                if len(path) == 3 and getattr(path[1], "uselist", False):
                    load.members[path[1]] = load.members.get(path[1], 0) + 1
                return
            if load.roots == 0 and _is_known(context.session, load, instance):
                # Roots that were there already are not loaded again: the count would be too low.
                load.roots = None
                return
            load.roots += 1
            self.pending[load] = None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)

    def write(self) -> None:
        """Write the counts that have come to an end. Called when the next statement is sent, and at the end."""
        pending, self.pending = self.pending, {}
        journal = self._recorder.journal
        if journal is None:
            return
        for load in pending:
            if type(load.roots) is int:
                members = ",".join(_member(one, count) for one, count in load.members.items())
                journal.write(f'{{"t":"r","i":{load.sequence},"r":{load.roots},"c":[{members}]')

    def forget(self) -> None:
        """Drop all counts."""
        self.pending = {}

    def remove(self) -> None:
        """Stop listening."""
        for entity in self._classes:
            event.remove(entity, "load", self._loaded)
        self._classes.clear()


def _members(entity: type) -> Iterator[type]:
    """Classes that a joined collection of this one may load."""
    mapper: Mapper[Any] = inspect(entity)
    for relationship in mapper.relationships:
        if relationship.uselist:
            yield relationship.mapper.class_


def _member(relationship: Any, count: int) -> str:
    name = f"{relationship.parent.class_.__name__}.{relationship.key}"
    return f"[{quote(name)},{count},{'false' if relationship.secondary is not None else 'true'}]"


def _is_known(session: Any, load: Load, instance: Any) -> bool:
    entity = load.entity
    return any(other is not instance and type(other) is entity for other in session.identity_map.values())
