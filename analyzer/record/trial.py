"""A trial: the same program again, with loader options added at query lines of its own, to see what they save.

Switched on by an environment variable that names a JSON file of edits. A query is recognised by the place it is sent from and
its root entity; the options are built from the application's own mappers. Nothing in a trial's file is ever evaluated.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm.interfaces import UserDefinedOption

from .bootstrap import TRIAL
from .call_site import Site
from .option_check import can_join, loader_option
from .undefer_option import class_named, undefer_option

VERSION = 2
MAX_STEPS = 30


@dataclass(frozen=True, slots=True)
class TrialEdit:
    """What to load with the query of one line. paths: relationships, by their steps from the root, such as ("Author.books",
    "Book.tags"). columns: deferred columns, by the steps to them, such as ("Author.books", "Book.text")."""

    file: str
    line: int
    function: str
    root: str
    paths: tuple[tuple[str, ...], ...] = ()
    columns: tuple[tuple[str, ...], ...] = ()


class Trial:
    """The edits by place. problems: why the edits of a place and a root could not be made; also appended to the file `told`, if any."""

    def __init__(self, edits: tuple[TrialEdit, ...], told: Path | None = None) -> None:
        self._edits: dict[Site, list[TrialEdit]] = {}
        for edit in edits:
            self._edits.setdefault((edit.file, edit.line, edit.function), []).append(edit)
        self._told = told
        self.problems: dict[tuple[Site, str], str] = {}

    def change(self, state: ORMExecuteState, place: Site | None) -> None:
        """Add the options of this place to a top-level select; what the mapper refuses is noted, and the query runs as it is."""
        if place is None or place not in self._edits:
            return
        for edit in self._edits[place]:
            try:
                _apply(state, edit)
            except Exception as error:  # noqa: BLE001 - whatever the mapper objects to; the program goes on without the option
                self._note(place, edit.root, f"{type(error).__name__}: {error}"[:300])

    def _note(self, place: Site, root: str, problem: str) -> None:
        if (place, root) not in self.problems and self._told is not None:
            with self._told.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*place, root, problem]) + "\n")
        self.problems[place, root] = problem


def trial_from_environment() -> Trial | None:
    """The trial that the environment names, None without one. Raises ValueError when its file cannot be read."""
    path = os.environ.get(TRIAL)
    return Trial(read_trial(Path(path)), told_file(Path(path))) if path else None


def told_file(path: Path) -> Path:
    """Where the program on trial says which edits it could not make: a JSON array (file, line, function, root, reason) a line."""
    return path.with_suffix(".problems")


def write_trial(edits: tuple[TrialEdit, ...], path: Path) -> None:
    """Keep the edits in a file."""
    rows = [[edit.file, edit.line, edit.function, edit.root, edit.paths, edit.columns] for edit in edits]
    path.write_text(json.dumps({"version": VERSION, "edits": rows}), encoding="utf-8")


def read_trial(path: Path) -> tuple[TrialEdit, ...]:
    """The edits of a file. Raises ValueError when it holds something else."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError(f"{path} is not a trial of version {VERSION}")
    return tuple(
        TrialEdit(str(file), int(line), str(function), str(root), _steps(paths), _steps(columns))
        for file, line, function, root, paths, columns in document["edits"]
    )


def _steps(rows: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, steps)) for steps in rows)


def _apply(state: ORMExecuteState, edit: TrialEdit) -> None:
    statement: Any = state.statement
    descriptions = [statement.entity_description] if statement.is_dml else statement.column_descriptions
    for description in descriptions:
        where = inspect(description["entity"], raiseerr=False) if description["entity"] is not None else None
        if where is None or where.mapper.class_.__name__ != edit.root:
            continue
        for path in edit.paths:
            options, kept = loader_option(
                _loader_path(where, path), statement._with_options, where.mapper.class_, joins=can_join(statement)
            )
            others = [one for one in statement._with_options if isinstance(one, UserDefinedOption)]
            if len(kept) + len(others) < len(statement._with_options):
                # An option of another kind for the same relationship: the edit replaces it, so must the trial.
                statement = statement._generate()
                statement._with_options = (*others, *kept)
            statement = statement.options(*options)
        if edit.columns:
            entities = dict.fromkeys(one["entity"] for one in descriptions if one["entity"] is not None)
            options, kept = undefer_option(where, edit.columns, statement._with_options, list(entities))
            statement = statement._generate()
            statement._with_options = tuple(kept)
            statement = statement.options(*options)
        state.statement = statement
        return


def _loader_path(where: Any, path: tuple[str, ...]) -> list[Any]:
    """Mapper, relationship, mapper, relationship … by the names of the steps, levels of one relationship included."""
    parts: list[Any] = []
    for step in path[:MAX_STEPS]:
        name, _, key = step.rpartition(".")
        reached, mapper = class_named(where, name)
        prop = mapper.relationships[key]
        parts += [reached, prop]
        where = prop.mapper
    return parts
