"""Counts distinct root entities of queries with joined eager loads of collections: their rows are more than their roots.

Only classes that such a query has loaded are listened to, so that other queries pay nothing for it.
"""

import weakref
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from .faults import armed, reach
from .orm import Load

if TYPE_CHECKING:
    from .recorder import Recorder


class Roots:
    """The counts of one recorder."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = weakref.proxy(recorder)
        self._option = recorder.option
        self._classes: weakref.WeakSet[type] = weakref.WeakSet()
        self._pending: dict[Load, None] = {}

    def executed(self, load: Load, context: Any) -> None:
        """A statement has been sent; its rows are not instances yet."""
        if self._pending:
            self.write()
        if not load.top or load.entity is None:
            return
        compiled = getattr(context, "compiled", None)
        state = getattr(compiled, "compile_state", None)
        if not getattr(state, "multi_row_eager_loaders", False):
            return
        if armed:
            reach("recorder.roots")
        load.roots = 0
        if load.entity not in self._classes:
            self._classes.add(load.entity)
            event.listen(load.entity, "load", self._loaded, propagate=True)

    def _loaded(self, instance: Any, context: Any) -> None:
        try:
            load = context.execution_options.get(self._option)
            if load is None or type(load.roots) is not int:
                return
            state = instance._sa_instance_state
            # A root stands at the beginning of the path, an instance of the same class further in does not.
            if len(state.load_path.path) > 1:
                return
            if load.roots == 0 and _is_known(context.session, load, instance):
                # Roots that were there already are not loaded again: the count would be too low.
                load.roots = None
                return
            load.roots += 1
            self._pending[load] = None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)

    def write(self) -> None:
        """Write the counts that have come to an end. Called when the next statement is sent, and at the end."""
        pending, self._pending = self._pending, {}
        journal = self._recorder.journal
        if journal is None:
            return
        for load in pending:
            if type(load.roots) is int:
                journal.write(f'{{"t":"r","i":{load.sequence},"r":{load.roots}')

    def forget(self) -> None:
        """Drop all counts."""
        self._pending = {}

    def remove(self) -> None:
        """Stop listening."""
        for entity in self._classes:
            event.remove(entity, "load", self._loaded)
        self._classes.clear()


def _is_known(session: Any, load: Load, instance: Any) -> bool:
    entity = load.entity
    return any(other is not instance and type(other) is entity for other in session.identity_map.values())
