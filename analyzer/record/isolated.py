"""Tells a program that cannot be recorded: Python that is told not to look at its environment."""

import os
import re
import shutil
from collections.abc import Sequence

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*[a-z]?(?:\.exe)?")
_WITH_VALUE = "WX"
_ENDS = "cm"
"""Options after which everything is the program's own."""
_FLAGS = "EIS"
MAX_SHEBANG = 256


def isolating_flag(command: Sequence[str]) -> str | None:
    """The option, -E, -I or -S, with which the command starts a Python that never finds the recorder; None without one.

    A script is looked at too: some are installed with such an option in their first line.
    """
    words = list(command)
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if "=" not in word and word not in ("-S", "--")]
    if words and not _is_python(words[0]):
        words = _shebang(words[0])
    if not words or not _is_python(words[0]):
        return None
    return _first_flag(words[1:])


def _is_python(word: str) -> bool:
    return _PYTHON.fullmatch(os.path.basename(word)) is not None


def _first_flag(words: Sequence[str]) -> str | None:
    following = iter(words)
    for word in following:
        if not word.startswith("-") or word in ("-", "--"):
            return None
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(following, None)
            continue
        for place, letter in enumerate(word[1:], 1):
            if letter in _FLAGS:
                return f"-{letter}"
            if letter in _ENDS:
                return None
            if letter in _WITH_VALUE:
                if place == len(word) - 1:
                    next(following, None)
                break
    return None


def _shebang(program: str) -> list[str]:
    """The words of a script's first line, `env` left out."""
    path = shutil.which(program)
    if path is None:
        return []
    try:
        with open(path, "rb") as file:
            line = file.read(MAX_SHEBANG).split(b"\n", 1)[0].decode("utf-8", "replace")
    except OSError:
        return []
    words = line.removeprefix("#!").split() if line.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    return words
