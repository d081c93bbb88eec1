"""Migrations up and down, without Alembic's own command line."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..analyzer.errors import QueryproofError

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(url: str) -> None:
    """To the newest revision; what then still differs from the models is logged, as at every start of the application.

    Raises QueryproofError when Alembic or asyncpg is not installed.
    """
    from alembic import command

    from .core.database import sync_engine
    from .core.drift import warn_of_drift

    command.upgrade(_config(url), "head")
    engine = sync_engine(url)
    try:
        warn_of_drift(engine)
    finally:
        engine.dispose()


def downgrade(url: str) -> None:
    """Back to an empty database."""
    from alembic import command

    command.downgrade(_config(url), "base")


def require_packages() -> None:
    """Raises QueryproofError naming what to install when the sample application cannot run."""
    if missing := [name for name in ("alembic", "asyncpg", "greenlet") if find_spec(name) is None]:
        raise QueryproofError(
            f'the sample application needs {", ".join(missing)}: pip install "queryproof[embedded,alembic,async]"'
        )


def _config(url: str) -> "Config":
    require_packages()
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
