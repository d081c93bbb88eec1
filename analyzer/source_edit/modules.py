"""Other files of the same program, as a file's imports name them."""

from functools import lru_cache
from pathlib import Path, PurePosixPath

from .cannot_edit import CannotEdit
from .source import read_source
from .tree import Tree


class Modules:
    """The modules that a file can import, as far as they lie in the working directory."""

    def __init__(self, file: str, directory: Path) -> None:
        """file: path of the importing file from the directory."""
        self.file = file
        self.directory = directory

    def find(self, module: str) -> "tuple[Tree, Modules] | None":
        """A module's tree and what it imports itself. module: dotted, with leading dots when relative. None: not there."""
        for file in self._files(module):
            try:
                return _tree(read_source(file, self.directory).text), Modules(file, self.directory)
            except CannotEdit:
                continue
        return None

    def _files(self, module: str) -> list[str]:
        """Paths that the module may have, the likeliest first."""
        name = module.lstrip(".")
        level = len(module) - len(name)
        packages = list(PurePosixPath(self.file.replace("\\", "/")).parents)
        if level > len(packages):
            return []
        # An absolute name begins at the program's root, which is the package's own directory or one above it.
        bases = [packages[level - 1]] if level else packages[::-1]
        path = name.replace(".", "/")
        return [str(base / one) for base in bases for one in ([f"{path}.py", f"{path}/__init__.py"] if path else ["__init__.py"])]  # fmt: skip


@lru_cache(maxsize=4)
def _tree(text: str) -> Tree:
    return Tree(text)
