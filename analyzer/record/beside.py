"""What others have written in a directory outside site-packages, such as `pip install --target` fills."""

import os
import sys
from functools import cache
from importlib.metadata import distributions


def beside_sqlalchemy() -> tuple[str, frozenset[str]]:
    """The directory that SQLAlchemy was found in, with a separator at its end, and the names in it that installed distributions own.

    No name where SQLAlchemy is not imported, or lies among the files of an application without having been installed.
    """
    file = getattr(sys.modules.get("sqlalchemy"), "__file__", None)
    if not file:
        return os.sep, frozenset()
    directory = os.path.dirname(os.path.dirname(os.path.abspath(file)))
    return directory + os.sep, _owned(directory)


@cache
def _owned(directory: str) -> frozenset[str]:
    names = set()
    for distribution in distributions(path=[directory]):
        told = (distribution.read_text("top_level.txt") or "").split()
        names |= {name for one in told for name in (one, f"{one}.py")}
        names |= {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    return frozenset(names)
