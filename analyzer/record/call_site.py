"""Where in the application a statement was sent from.

One walk up the stack for each statement; what it finds is known by (code, instruction) of each frame, so that names and
line numbers are worked out only once for each place.
"""

import os
import sys
import sysconfig
from contextvars import ContextVar
from json.encoder import encode_basestring_ascii as quote
from types import CodeType, FrameType
from typing import Any

from .beside import beside_sqlalchemy
from .faults import armed, reach

MAX_FRAMES = 5
MAX_WALK = 400
"""Frames looked at: a deep recursion must not make every statement slow."""
MAX_BEYOND = 12
"""Frames looked at beyond the innermost application frame: a framework's own may be many."""
MAX_CODES = 50_000
"""Code objects that are remembered; a program that makes ever new code has its later places worked out each time."""
MAX_STACKS = 50_000
MAX_NAME = 400
"""Characters of a file's or a function's name that are kept, from the end."""
APPLICATION_PATHS = "QUERYPROOF_APPLICATION_PATHS"
"""Environment: what is application code although it is installed: directories, or names of packages (`shop`, `shop.web`) and
modules as they lie in site-packages; separated as in PATH."""

DIRECTORY = "QUERYPROOF_DIRECTORY"
"""Environment: where the recording was started, wherever the program or a child of it goes from there."""

Site = tuple[str, int, str]

_own = os.path.dirname(os.path.abspath(__file__)) + os.sep
_library = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib") if sysconfig.get_path(name)})
_directory = os.environ.get(DIRECTORY, "")
_named = tuple(name for name in os.environ.get(APPLICATION_PATHS, "").split(os.pathsep) if name)
_application = tuple(name.rstrip(os.sep) + os.sep for name in _named if os.path.isabs(name))
_packages = tuple(
    name.replace(".", os.sep) + ending for name in _named if not os.path.isabs(name) for ending in (os.sep, ".py")
)
_scripts = sysconfig.get_path("scripts") + os.sep
_MAX_LAUNCHER = 2_000
"""Bytes of a script that an installer has made to start a library's function, such as `bin/uvicorn`."""
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Mark(str):
    """Something that SQLAlchemy is doing, known by the function of its own that stands below the application's frames."""

    __slots__ = ()


class CallStack:
    """Up to five application frames, innermost first, and the mark passed on the way to them. Compared by identity."""

    __slots__ = ("json", "mark", "place", "sites")

    def __init__(self, sites: tuple[Site, ...], mark: Mark | None) -> None:
        self.sites = sites
        self.mark = mark
        file, line, function = sites[0] if sites else ("outside the application's code", 0, "")
        self.place = f"{file}:{line} in {function}" if function else file
        """The innermost frame, for people."""
        self.json = "[" + ",".join(f"[{quote(file)},{line},{quote(name)}]" for file, line, name in sites) + "]"


NOWHERE = CallStack((), None)
fallback: ContextVar[CallStack] = ContextVar("queryproof_fallback", default=NOWHERE)
"""Where a thread's work was handed over or its scope begun: the place of statements without any application frame."""

handed: ContextVar[tuple[CallStack, str | None] | None] = ContextVar("queryproof_handed", default=None)
"""Place and asyncio task of the block whose end is run in a task of its own."""

_UNKNOWN = object()
# By identity of the code object: its own hash reads all its constants. `_kept` holds them, so that no number is used twice.
_names: dict[int, str | object | None] = {}
_foreign: set[str] = set()
"""Files without application code and without marks, by far the most frames: looked up first. Their names know their hashes."""
_SERVER = os.path.join(sysconfig.get_path("stdlib"), "socketserver.py")
_marked: set[str] = {_SERVER}
_kept: list[CodeType] = []
_stacks: dict[tuple[object, ...], CallStack] = {}


HANDED = Mark("handed")
"""Of a function whose frames stand for the place that `handed` names: the walk goes on there."""

SERVED = Mark("served")
"""Of what serves one request after the other: whoever has called it repeats nothing of what is done there."""


def mark_function(function: object, mark: str) -> None:
    """From now on a walk that passes a frame of this function or code (None: this version has none) carries the mark."""
    code = getattr(function, "__code__", function)
    if isinstance(code, CodeType) and not isinstance(_names.get(id(code)), Mark):
        _kept.append(code)
        _names[id(code)] = mark if isinstance(mark, Mark) else Mark(mark)
        _marked.add(code.co_filename)
        _foreign.discard(code.co_filename)


def call_stack(skip: int = 0, likely: int = 0) -> CallStack:
    """The application's frames above the caller, under asyncio the awaiting ones too; NOWHERE when there is none.

    skip: frames above the caller that cannot be the application's; not looking at them is what makes the walk cheap. likely: more
    of them that are left out as well where the next one is known to be a library's.
    """
    if armed:
        reach("call_site.walk")
    key: list[object] = []
    frames: list[FrameType] = []
    names, foreign, modules = _names, _foreign, sys.modules
    frame: FrameType | None
    try:
        frame = sys._getframe(skip + likely + 1)
        code = frame.f_code
        if likely and code.co_filename not in foreign and names.get(id(code), _UNKNOWN) is not None:
            frame = sys._getframe(skip + 1)
    except ValueError:
        frame = sys._getframe(1)
    left = MAX_WALK
    awaited = False
    while True:
        if frame is None or not left:
            greenlet = modules.get("greenlet")
            if awaited or greenlet is None or (frame := _awaiting(greenlet.getcurrent())) is None:
                break
            awaited = True
            left = MAX_BEYOND if frames else MAX_WALK
        left -= 1
        code = frame.f_code
        if code.co_filename not in foreign:
            number = id(code)
            name = names.get(number, _UNKNOWN)
            if name is _UNKNOWN:
                name = _learn(frame)
            if type(name) is str:
                if not frames:
                    left = MAX_BEYOND
                key.append(number)
                key.append(frame.f_lasti)
                frames.append(frame)
                if len(frames) == MAX_FRAMES:
                    break
            elif name is HANDED:
                if not frames and (given := handed.get()) is not None and given[0].sites:
                    return given[0]
            elif name is SERVED:
                if frames:
                    break
            elif name is not None and not key:
                # The innermost stands: an autoflush inside a refresh is an autoflush.
                key.append(name)
        frame = frame.f_back
    if not frames:
        return fallback.get()
    whole = tuple(key)
    return _stacks.get(whole) or _new_stack(whole, frames)


def _awaiting(current: Any) -> FrameType | None:
    """Under asyncio SQLAlchemy runs in a greenlet of its own; the coroutine that awaits it is on the parent's stack."""
    parent = current.parent
    if parent is None or type(current).__name__ != "_AsyncIoGreenlet":
        return None
    frame: FrameType | None = parent.gr_frame
    return frame


def _learn(frame: FrameType) -> str | None:
    if armed:
        reach("call_site.learn")
    code = frame.f_code
    name = _application_file(code.co_filename, frame)
    if code.co_filename == _SERVER and code.co_name == "_handle_request_noblock":
        name = SERVED
    if len(_kept) < MAX_CODES:
        _kept.append(code)
        _names[id(code)] = name
        # Files are alike for all their frames, but for texts that are compiled: they may be anyone's.
        if name is None and code.co_filename not in _marked and not code.co_filename.startswith("<"):
            _foreign.add(code.co_filename)
    return name


def _new_stack(key: tuple[object, ...], frames: list[FrameType]) -> CallStack:
    sites = []
    known = True
    for frame in frames:
        code = frame.f_code
        name = _names.get(id(code), _UNKNOWN)
        if name is _UNKNOWN:
            known = False
            name = _application_file(code.co_filename, frame)
        function = code.co_qualname if sys.version_info >= (3, 11) else code.co_name
        sites.append((str(name)[-MAX_NAME:], _line(frame), function[-MAX_NAME:]))
    mark = key[0] if isinstance(key[0], Mark) else None
    stack = CallStack(tuple(sites), mark)
    # Code that is not kept may go, and its number be given to other code: such a place is not remembered.
    if known and len(_stacks) < MAX_STACKS:
        _stacks[key] = stack
    return stack


def _line(frame: FrameType) -> int:
    """The line that a frame is at; of a Jinja template its own line, not that of the code generated from it."""
    line = frame.f_lineno or 0
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return line
    try:
        return int(template.get_corresponding_lineno(line))
    except Exception:  # noqa: BLE001 - anyone may call a variable so; the generated line still names the place
        return line


def _application_file(path: str, frame: FrameType) -> str | None:
    """The file's name for the report, relative to where the recording began, or to the working directory, if below it; None when it is not application code."""
    if path.startswith("<"):
        # Of `python -c` and standard input; libraries (SQLAlchemy 2.0.20's Session.commit) make functions from texts too.
        typed = path in ("<string>", "<stdin>") and frame.f_globals.get("__name__") in ("__main__", "__mp_main__")
        return path if typed else None
    path = os.path.abspath(path)
    if not path.startswith(_application):
        if path.startswith(_own) or (path.startswith(_library) and not any(place in path for place in _INSTALLED)):
            return None
        for place in _INSTALLED:
            if place in path and not path.rpartition(place)[2].startswith(_packages):
                return None
        if _is_launcher(path):
            return None
        directory, names = beside_sqlalchemy()
        inside = path.removeprefix(directory)
        if inside != path and inside.split(os.sep, 1)[0] in names and not inside.startswith(_packages):
            return None
    if _directory and path.startswith(_directory + os.sep):
        return path[len(_directory) + 1 :]
    try:
        here = os.getcwd() + os.sep
    except OSError:
        return path
    return path.removeprefix(here)


def _is_launcher(path: str) -> bool:
    """Whether it is an installer's script, which calls a library and exits: no place of the application's."""
    if not path.startswith(_scripts):
        return False
    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_LAUNCHER + 1)
    except OSError:
        return False
    return len(text) <= _MAX_LAUNCHER and b"sys.exit(" in text and b"\nfrom " in text
