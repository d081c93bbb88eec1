"""What the ORM does when it sends a statement, by public API only.

Every top-level ORM select carries an option that SQLAlchemy hands on to the lazy loads of the instances it loads: so a lazy
load knows the query where it can be mended. An execution option ties the ORM's event to the cursor's event exactly.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm.interfaces import UserDefinedOption

from .call_site import Site, call_stack
from .option_check import option_check

OPTION = "_queryproof_orm"


class Origin(UserDefinedOption):
    """Rides on the instances a query loads; its payload is (entity, call site)."""

    propagate_to_loaders = True

    def __reduce__(self) -> tuple[Callable[[None], UserDefinedOption], tuple[None]]:
        # Load options are pickled with instances, perhaps into a process that does not know this class.
        return UserDefinedOption, (None,)


def breaks_streaming(version: str = sqlalchemy.__version__) -> bool:
    """SQLAlchemy 2.0.20–2.0.49 and 2.1 betas: any do_orm_execute listener makes `yield_per` with selectinload raise."""
    if version in ("2.1.0b1", "2.1.0b2"):
        return True
    numbers = version.split(".")
    return numbers[:2] == ["2", "0"] and numbers[2].isdigit() and int(numbers[2]) < 50


def note_orm_execute(state: ORMExecuteState) -> None:
    """Listener of `do_orm_execute`: leaves the load's description in the execution options."""
    if not state.is_select or not state.is_orm_statement:
        return
    mapper = state.bind_mapper
    entity = mapper.class_.__name__ if mapper is not None else None
    if state.is_relationship_load or state.is_column_load:
        state.update_execution_options(**{OPTION: _load(state, entity)})
        return
    stack = call_stack()
    state.update_execution_options(**{OPTION: {"k": "query", "e": entity}})
    state.statement = state.statement.options(Origin((entity, stack[0] if stack else None)))


def _load(state: ORMExecuteState, entity: str | None) -> dict[str, object]:
    parent = state.lazy_loaded_from
    by_loader = "sa_top_level_orm_context" in state.execution_options
    kind = "column" if state.is_column_load else "lazy" if parent is not None and not by_loader else "eager"
    steps = _steps(state.loader_strategy_path)
    origin: tuple[str | None, Site | None] | None = next(
        (option.payload for option in state.user_defined_options if isinstance(option, Origin)), None
    )
    load: dict[str, object] = {
        "k": kind,
        "e": entity,
        "path": [name for name, _ in steps],
        "many": [many for _, many in steps],
    }
    if origin is not None:
        load["e"] = origin[0] or entity
        load["o"] = origin[1]
    if parent is not None and parent.key is not None:
        load["pa"] = f"{hash(parent.key[1]) & 0xFFFFFFFFFFFF:x}"
    if kind == "lazy" and (check := option_check(state, origin[1] if origin else None)) is not None:
        load["fx"] = check
    return load


def _steps(path: Any) -> list[tuple[str, bool]]:
    """The relationships of a loader path: ("Project.task_refs", leads to a collection)."""
    elements = path.path if path is not None else ()
    return [
        (f"{part.parent.class_.__name__}.{part.key}", bool(part.uselist))
        for part in elements
        if hasattr(part, "uselist")
    ]
