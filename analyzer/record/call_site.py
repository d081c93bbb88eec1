"""Where in the application a statement was sent from."""

import os
import sys
import sysconfig
from types import CodeType, FrameType

MAX_FRAMES = 5
MAX_WALK = 400
"""Frames looked at: a deep recursion must not make every statement slow."""
APPLICATION_PATHS = "QUERYPROOF_APPLICATION_PATHS"
"""Environment: directories that are application code although they are installed, separated as in PATH."""

Site = tuple[str, int, str]

_own = os.path.dirname(os.path.abspath(__file__)) + os.sep
_library = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib") if sysconfig.get_path(name)})
_application = tuple(
    os.path.abspath(path) + os.sep for path in os.environ.get(APPLICATION_PATHS, "").split(os.pathsep) if path
)
_names: dict[CodeType, str | None] = {}
MAX_NAMES = 20_000


def call_stack() -> list[Site]:
    """Up to five application frames, innermost first: (file, line, function). Empty when there is none."""
    found: list[Site] = []
    _walk(sys._getframe(1), found)
    if not found and "greenlet" in sys.modules:
        # Under asyncio SQLAlchemy runs in a greenlet; the coroutine that awaits it is on the parent's stack.
        parent = sys.modules["greenlet"].getcurrent().parent
        while parent is not None and not found:
            _walk(parent.gr_frame, found)
            parent = parent.parent
    return found


def _walk(frame: FrameType | None, found: list[Site]) -> None:
    steps = 0
    while frame is not None and len(found) < MAX_FRAMES and steps < MAX_WALK:
        code = frame.f_code
        try:
            name = _names[code]
        except KeyError:
            if len(_names) > MAX_NAMES:
                _names.clear()
            name = _names[code] = _application_file(code.co_filename)
        if name is not None:
            found.append((name, frame.f_lineno, code.co_qualname if sys.version_info >= (3, 11) else code.co_name))
        frame = frame.f_back
        steps += 1


def _application_file(path: str) -> str | None:
    """The file's name for the report, relative to the working directory if below it; None when it is not application code."""
    if path.startswith("<"):
        return path if path in ("<string>", "<stdin>") else None
    path = os.path.abspath(path)
    if not path.startswith(_application):
        if path.startswith((_own, *_library)):
            return None
        if f"{os.sep}site-packages{os.sep}" in path or f"{os.sep}dist-packages{os.sep}" in path:
            return None
    try:
        here = os.getcwd() + os.sep
    except OSError:
        return path
    return path.removeprefix(here)
