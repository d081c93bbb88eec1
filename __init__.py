"""Query performance analyzer and advisor for PostgreSQL and SQLAlchemy that proves what it recommends.

Importing this package is cheap: names load what they need when first used, because it is imported into users' processes.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import analyze
    from .analyzer.errors import QueryproofError
    from .analyzer.record.asgi import ASGIMiddleware
    from .analyzer.record.recorder import record
    from .analyzer.record.scaling import scaling
    from .analyzer.record.scope import propagate, scope
    from .analyzer.record.wsgi import WSGIMiddleware

__all__ = [
    "ASGIMiddleware",
    "QueryproofError",
    "WSGIMiddleware",
    "__version__",
    "analyze",
    "propagate",
    "record",
    "scaling",
    "scope",
]
__version__ = "0.1.0"

_HOMES = {
    "ASGIMiddleware": ".analyzer.record.asgi",
    "QueryproofError": ".analyzer.errors",
    "analyze": ".analysis",
    "propagate": ".analyzer.record.scope",
    "record": ".analyzer.record.recorder",
    "scaling": ".analyzer.record.scaling",
    "scope": ".analyzer.record.scope",
    "WSGIMiddleware": ".analyzer.record.wsgi",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
