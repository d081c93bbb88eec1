"""Which attributes of loaded instances the application reads: recorded by `--deep` only.

SQLAlchemy has no event for a read, so `InstrumentedAttribute.__get__` and `__set__` are wrapped while a recorder of level 2
is installed. What reads `vars(instance)` or pickles it is not seen.
"""

import time
import weakref
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import InstrumentedAttribute
from sqlalchemy.orm.state import InstanceState

from .call_site import CallStack, Site
from .faults import armed, reach
from .load_shape import step_names
from .orm import Load, loaded_by
from .use import Tag, Use, use_record

if TYPE_CHECKING:
    from .recorder import Recorder

MAX_USES = 10_000
"""Distinct (place, entity, path) that are counted."""
MAX_STACKS = 50_000
"""Distinct (stack, entity, path) whose place is remembered; it is looked up for others."""
WRITE_SECONDS = 1.0
"""How often counts go to the journal while statements are sent; the rest is written at the end."""

TAG = "_queryproof_use"
_Key = tuple[CallStack, type, tuple[str, ...]]
_Place = tuple[Site | None, type, tuple[str, ...]]


class Reads:
    """The counts of one recorder."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = weakref.proxy(recorder)
        self._option = recorder.option
        self._uses: dict[_Key, Use] = {}
        self._places: dict[_Place, Use] = {}
        self._version = 0
        self._write_at = 0.0

    def install(self) -> None:
        """Begin to count loads and reads."""
        event.listen(Mapper, "load", self._loaded)
        _patch.add(self)

    def remove(self) -> None:
        """Stop; SQLAlchemy's own functions stand as they stood."""
        if event.contains(Mapper, "load", self._loaded):
            event.remove(Mapper, "load", self._loaded)
        _patch.remove(self)

    def forget(self) -> None:
        """Drop all counts: those of a parent process are the parent's to write."""
        self._uses, self._places = {}, {}

    def eager(self, load: Load) -> None:
        """A loader's own statement: the relationship is loaded for all instances of its parents' execution so far."""
        origin = load.origin
        names = step_names(load.path)
        if origin is None or not names:
            return
        key = names[-1].partition(".")[2]
        place = origin.stack.sites[:1]
        for use in list(self._places.values()):
            if use.stack.sites[:1] == place and use.path == names[:-1] and key in use.relations:
                counts = use.relationships.setdefault(key, [0, 0])
                if use.before.get(key, (0, 0))[0] != origin.sequence:
                    use.before[key] = (origin.sequence, counts[0])
                counts[0] = use.before[key][1] + use.run
                use.dirty = True

    def tick(self) -> None:
        """Write what has changed, not more often than once a second."""
        now = time.monotonic()
        if now >= self._write_at:
            self._write_at = now + WRITE_SECONDS
            self.write()

    def write(self) -> None:
        """Write each use that has changed; a later record of the same use replaces the earlier."""
        if armed:
            reach("recorder.uses")
        journal = self._recorder.journal
        if journal is None:
            return
        for use in list(self._places.values()):
            if use.dirty and use.stack.sites:
                use.dirty = False
                self._version += 1
                journal.write(use_record(use, self._version))

    def _loaded(self, instance: Any, context: Any) -> None:
        try:
            if armed:
                reach("reads.load")
            load = loaded_by(context, self._option)
            if load is None or not self._recorder.active:
                return
            state = instance._sa_instance_state
            root = load.origin or load
            key = (root.stack, type(instance), step_names(state.load_path.path))
            use = self._uses.get(key)
            if use is None:
                use = self._use(key)
                if use is None:
                    return
            use.dirty = True
            use.instances += 1
            if use.last != root.sequence:
                use.last = root.sequence
                use.executions += 1
                use.run = 0
            use.run += 1
            keys = tuple(state.dict)
            if keys != use.keys:
                use.keys = keys
                use.loaded.update(name for name in keys if name in use.mapper.column_attrs)
            for name in keys:
                if name in use.relations:
                    use.relationships.setdefault(name, [0, 0])[0] += 1
            setattr(state, TAG, Tag(use))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)

    def _use(self, key: _Key) -> Use | None:
        """The use of a stack that has not been seen before: stacks of one place share it. None when there are too many."""
        stack, entity, path = key
        place = (stack.sites[0] if stack.sites else None, entity, path)
        use = self._places.get(place)
        if use is None:
            if len(self._places) >= MAX_USES:
                return None
            use = self._places[place] = Use(stack, entity, path)
        if len(self._uses) < MAX_STACKS:
            self._uses[key] = use
        return use

    def note(self, tag: Tag, name: str, instance: Any) -> None:
        """The attribute of that name is read (or set) for the first time on this instance."""
        try:
            if armed:
                reach("reads.read")
            use = tag.use
            use.dirty = True
            if not tag.read:
                use.touched += 1
            tag.read.add(name)
            if name not in use.relations:
                use.read.add(name)
            elif name in instance.__dict__:
                use.relationships.setdefault(name, [0, 0])[1] += 1
            else:
                use.lazy.add(name)
        except Exception as error:  # noqa: BLE001 - as above
            self._recorder.fault(error)


class _Patch:
    """The wrapped functions, in place while any recorder counts reads."""

    def __init__(self) -> None:
        self._readers: list[Reads] = []
        self._get: Any = None
        self._set: Any = None

    def add(self, reads: Reads) -> None:
        if not self._readers:
            self._wrap()
        self._readers.append(reads)

    def remove(self, reads: Reads) -> None:
        if reads in self._readers:
            self._readers.remove(reads)
            if not self._readers:
                InstrumentedAttribute.__get__ = self._get  # type: ignore[method-assign] # as it stood
                InstrumentedAttribute.__set__ = self._set  # type: ignore[method-assign] # as it stood
                delattr(InstanceState, TAG)

    def _wrap(self) -> None:
        get = self._get = InstrumentedAttribute.__get__
        set_ = self._set = InstrumentedAttribute.__set__
        readers = self._readers
        setattr(InstanceState, TAG, None)

        def __get__(attribute: Any, instance: Any, owner: Any) -> Any:
            if instance is not None:
                state = getattr(instance, "_sa_instance_state", None)
                tag = getattr(state, TAG, None)
                if tag is not None and attribute.key not in tag.read:
                    for reads in readers:
                        reads.note(tag, attribute.key, instance)
            return get(attribute, instance, owner)

        def __set__(attribute: Any, instance: Any, value: Any) -> None:
            # What is written was loaded for something: it is not called unused.
            tag = getattr(getattr(instance, "_sa_instance_state", None), TAG, None)
            if tag is not None and attribute.key not in tag.read:
                for reads in readers:
                    reads.note(tag, attribute.key, instance)
            set_(attribute, instance, value)

        InstrumentedAttribute.__get__ = __get__  # type: ignore[assignment, method-assign] # same signature, fewer types
        InstrumentedAttribute.__set__ = __set__  # type: ignore[assignment, method-assign] # same signature, fewer types


_patch = _Patch()
