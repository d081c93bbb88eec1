"""Listens to sessions: what the ORM is about to do, and its flushes. Imported only by programs that have the ORM."""

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from . import flush, leaked_options, option_check, orm
from .listeners import Listener, listen, unlisten
from .roots import Roots

if TYPE_CHECKING:
    from .recorder import Recorder


class OrmEvents:
    """The listeners of one recorder to sessions; at level 2 the reads of attributes as well."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._option = recorder.option
        execute = self._healed_execute if leaked_options.leaks_options() else self._execute
        self._listeners: list[Listener] = [
            (Session, "do_orm_execute", execute),
            (Session, "before_flush", self._before_flush),
            (Session, "after_flush", self._flushed),
            (Session, "after_soft_rollback", self._flushed),
        ]
        self.roots = Roots(recorder)
        self.reads: Any = None

    def install(self) -> None:
        """Start listening, and let the recorder's records say what the ORM was doing."""
        orm.mark_functions()
        records = self._recorder.records
        records.flush, records.find_load, records.roots = flush.current_flush, orm.find_load, self.roots
        listen(self._listeners)
        if self._recorder.level == 2:
            from .reads import Reads

            self.reads = records.reads = Reads(self._recorder)
            self.reads.install()

    def remove(self) -> None:
        """Stop listening to sessions; what is added up in memory can still be written."""
        unlisten(self._listeners)

    def forget(self) -> None:
        """Drop what is added up in memory: after a fork it is the parent's to write."""
        if self.reads is not None:
            self.reads.forget()
        self.roots.forget()

    def close(self) -> None:
        """Take everything else off as well."""
        if self.reads is not None:
            self.reads.remove()
        self.roots.remove()
        option_check.forget(self._option)

    def _execute(self, state: Any) -> None:
        if not self._recorder.active:
            return
        try:
            load = orm.describe(state, self._option)
            if load is not None:
                orm.attach(state, load)
                if load.top:
                    return
                orm.check_option(state, load)
                if self.reads is not None and load.path and load.parent is None:
                    self.reads.eager(load)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)

    def _healed_execute(self, state: Any) -> None:
        try:
            leaked_options.heal(state)
        except Exception as error:  # noqa: BLE001 - as above
            self._recorder.fault(error)
        self._execute(state)

    def _before_flush(self, session: Any, context: Any, instances: Any) -> None:
        try:
            flush.begin_flush(session)
        except Exception as error:  # noqa: BLE001 - as above
            self._recorder.fault(error)

    def _flushed(self, session: Any, other: Any) -> None:
        try:
            flush.end_flush(session)
        except Exception as error:  # noqa: BLE001 - as above
            self._recorder.fault(error)
