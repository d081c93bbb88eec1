"""At start-up the application compares its models with the database."""

import logging

from sqlalchemy import Engine

from ..models import Base

log = logging.getLogger(__name__)


def warn_of_drift(engine: Engine) -> list[str]:
    """Every difference, each logged as a warning; empty when models and database agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = [_sentence(difference) for difference in compare_metadata(context, Base.metadata)]
    for difference in differences:
        log.warning("the database differs from the models: %s", difference)
    return differences


def _sentence(difference: object) -> str:
    if isinstance(difference, list):
        return "; ".join(map(_sentence, difference))
    return " ".join(str(part) for part in difference) if isinstance(difference, tuple) else str(difference)
