"""Options of a query that some versions of SQLAlchemy leak into its loaders (issue 13301)."""

import sqlalchemy
from sqlalchemy.orm import ORMExecuteState

_LEAKED = ("yield_per", "populate_existing", "autoflush", "identity_token")


def leaks_options(version: str = sqlalchemy.__version__) -> bool:
    """SQLAlchemy 2.0.20–2.0.49 and 2.1 betas: with any do_orm_execute listener the options of a query leak into its loaders,
    and `yield_per` with selectinload raises (issue 13301)."""
    if version in ("2.1.0b1", "2.1.0b2"):
        return True
    numbers = version.split(".")
    return numbers[:2] == ["2", "0"] and numbers[2].isdigit() and int(numbers[2]) < 50


def heal(state: ORMExecuteState) -> None:
    """Take leaked options out of a loader's statement again; for versions where `leaks_options()`."""
    options = state.local_execution_options
    if "sa_top_level_orm_context" in state.execution_options and any(name in options for name in _LEAKED):
        kept = {name: value for name, value in options.items() if name not in _LEAKED}
        state.local_execution_options = type(options)(kept)
