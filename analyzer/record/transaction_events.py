"""Listens to the transactions of an engine. Each listener is guarded by itself, as those of statements are."""

from typing import TYPE_CHECKING, Any

from .faults import armed, reach
from .listeners import Listener

if TYPE_CHECKING:
    from .recorder import Recorder


class TransactionEvents:
    """The listeners of one recorder to the engine events begin, commit, rollback and those of savepoints."""

    def __init__(self, recorder: "Recorder", target: Any) -> None:
        self._recorder = recorder
        self.listeners: list[Listener] = [
            (target, "begin", self._begin),
            (target, "commit", self._committed),
            (target, "rollback", self._rolled_back),
            (target, "savepoint", self._savepoint),
            (target, "rollback_savepoint", self._back_to_savepoint),
            (target, "release_savepoint", self._released),
        ]

    def _begin(self, conn: Any) -> None:
        try:
            if armed:
                reach("recorder.transaction")
            self._recorder.records.begin(conn)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the application goes on; it is counted
            self._recorder.fault(error)

    def _committed(self, conn: Any) -> None:
        self._event(conn, "commit", True)

    def _rolled_back(self, conn: Any) -> None:
        self._event(conn, "rollback", True)

    def _savepoint(self, conn: Any, name: Any) -> None:
        self._event(conn, "savepoint", False)

    def _back_to_savepoint(self, conn: Any, name: Any, context: Any) -> None:
        self._event(conn, "rollback savepoint", False)

    def _released(self, conn: Any, name: Any, context: Any) -> None:
        self._event(conn, "release savepoint", False)

    def _event(self, conn: Any, kind: str, ends: bool) -> None:
        try:
            if self._recorder.active:
                self._recorder.records.event(conn, kind, ends)
        except Exception as error:  # noqa: BLE001 - as above
            self._recorder.fault(error)
