"""Installs the recorder in a program that does not know of it, once it imports SQLAlchemy."""

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from ..errors import QueryproofError

JOURNAL = "QUERYPROOF_JOURNAL"
PARAMETERS = "QUERYPROOF_PARAMETERS"
LEVEL = "QUERYPROOF_LEVEL"
MAX_SIZE = "QUERYPROOF_MAX_SIZE"
TRIAL = "QUERYPROOF_TRIAL"
ROLLBACK = "QUERYPROOF_ROLLBACK"
FORBID = "forbid"
"""Value of ROLLBACK when the program may not write; else the file where a refusal is told."""


class Watcher:
    """A finder that changes no import; after SQLAlchemy's two packages have been run it calls back."""

    def __init__(self, callbacks: dict[str, Callable[[], None]]) -> None:
        self._callbacks = callbacks

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the ordinary finder gives, its loader followed by the callback."""
        callback = self._callbacks.get(name)
        if callback is None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            callback()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign] # this loader object serves this import alone
        return spec


def install() -> None:
    """Watch for SQLAlchemy; called by `sitecustomize`."""
    directory = os.environ.get(JOURNAL)
    if not directory:
        return
    recorders: list[object] = []

    def core() -> None:
        _refuse_old(sys.modules["sqlalchemy"])
        from .journal import Journal
        from .recorder import Recorder

        size = os.environ.get(MAX_SIZE)
        journal = Journal(
            Path(directory), parameters=os.environ.get(PARAMETERS) != "0", max_size=int(size) if size else None
        )
        recorder = Recorder(journal, level=int(os.environ.get(LEVEL, "1")))
        recorder.install()
        if os.environ.get(ROLLBACK):
            from .rollback import Rollback, forbid_writing

            if os.environ[ROLLBACK] == FORBID:
                forbid_writing()
            else:
                Rollback(Path(os.environ[ROLLBACK])).install()
        atexit.register(recorder.finish)
        recorders.append(recorder)

    def orm() -> None:
        if not recorders:
            return
        if os.environ.get(TRIAL):
            from . import orm
            from .trial import trial_from_environment

            orm.trial = trial_from_environment()
        for recorder in recorders:
            recorder.install_orm()  # type: ignore[attr-defined] # a Recorder

    if "sqlalchemy" in sys.modules:
        core()
        if "sqlalchemy.orm" in sys.modules:
            orm()
        return
    sys.meta_path.insert(0, Watcher({"sqlalchemy": _safely(core), "sqlalchemy.orm": _safely(orm)}))


def _refuse_old(sqlalchemy: ModuleType) -> None:
    version = str(getattr(sqlalchemy, "__version__", ""))
    if version.startswith(("0.", "1.")):
        raise QueryproofError(
            f"this program uses SQLAlchemy {version}, and recording needs 2.0.20 or newer. Remedy: upgrade SQLAlchemy, or analyze "
            "what the server has counted: queryproof analyze --pg-stat-statements --url URL"
        )


def _safely(callback: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            callback()
        except QueryproofError as error:
            sys.stderr.write(f"queryproof: nothing is recorded: {error}\n")
        except Exception as error:  # noqa: BLE001 - the program must start; the reason is told
            sys.stderr.write(f"queryproof: nothing is recorded: {type(error).__name__}: {error}\n")

    return run
