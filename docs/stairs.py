"""Imports run down the stairs only: `python -m docs.stairs`.

import-linter needs the package in a folder of its own name; here the repository root is the package, in a folder of any
name, so the imports are read from the syntax trees.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAIRS = (
    ("cli", "__main__", "pytest_plugin"),
    ("commands", "testing"),
    ("demo",),
    ("sample_db",),
    ("analysis", "advising", "explanation"),
    ("orm_evidence", "orm_proof", "orm_edits", "orm_outlook"),
    ("answering",),
    ("reports",),
    ("rules",),
    ("analyzer.sources", "analyzer.advise"),
    ("analyzer.postgres",),
    ("analyzer.record", "analyzer.workload", "analyzer.source_edit"),
    ("analyzer.sql",),
    (
        "analyzer.plan",
        "analyzer.plan_parts",
        "analyzer.recommendation",
        "analyzer.schema",
        "analyzer.query",
        "analyzer.errors",
        "analyzer.replaceable",
    ),
)
"""From top to bottom. A module imports from its own stair and from those below."""
PACKAGES = ("analyzer", "commands", "rules", "reports", "sample_db", "testing")


def level(module: str) -> int | None:
    """Number of the stair that the module stands on, 0 the topmost; None for the package's own light __init__ files."""
    return next((n for n, names in enumerate(STAIRS) for name in names if f"{module}.".startswith(f"{name}.")), None)


def violations() -> Iterator[str]:
    """A line for each import that runs up, or that leaves the stairs."""
    files = [*ROOT.glob("*.py"), *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    for path in sorted(files):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        own = level(module)
        if own is None:
            if path.name != "__init__.py":
                yield f"{path.relative_to(ROOT)}: this module stands on no stair: name it in docs/stairs.py"
            continue
        for line, target in _imports(path, module):
            below = level(target)
            if below is not None and below < own:
                yield f"{path.relative_to(ROOT)}:{line}: {module} imports {target}, which stands above it"


def _imports(path: Path, module: str) -> Iterator[tuple[int, str]]:
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = package[: len(package) - node.level + 1]
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            for name in node.names:
                yield node.lineno, f"{base}.{name.name}".strip(".")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("queryproof."):
            yield node.lineno, (node.module or "").removeprefix("queryproof.")


if __name__ == "__main__":
    found = list(violations())
    print("\n".join(found) or "Imports run down the stairs.")
    sys.exit(1 if found else 0)
