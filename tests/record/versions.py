"""`make test-sqlalchemy`: the recorder's tests on other versions of SQLAlchemy, each in an environment of its own.

Oldest supported, the last that leaks a query's options into its loaders (issue 13301), and the newest of each series.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".venv-sqlalchemy"
VERSIONS = {"oldest": "==2.0.20", "leaking": "==2.0.49", "newest 2.0": ">=2.0.50,<2.1", "newest 2.1": ">=2.1,<2.2"}
TESTS = (
    "tests/record", "tests/sources/test_journal.py", "tests/sources/test_texts.py", "tests/test_orm_proof.py", "tests/test_undefer_proof.py",
    "tests/orm_corpus",
)  # fmt: skip


def environment(name: str, wanted: str) -> Path:
    """The Python of an environment with that SQLAlchemy and everything else as locked, made anew each time."""
    place = PLACE / name.replace(" ", "-")
    python = place / "bin" / "python"
    locked = PLACE / "requirements.txt"
    PLACE.mkdir(exist_ok=True)
    lines = (ROOT / "requirements.lock").read_text().splitlines(keepends=True)
    locked.write_text("".join(line for line in lines if not line.lower().startswith("sqlalchemy==")))
    if shutil.which("uv"):
        subprocess.run(["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, place], check=True)
        pip = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    else:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(locked), f"sqlalchemy{wanted}"], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    return python


def run(name: str, wanted: str, options: list[str]) -> int:
    """Run the tests there; pytest's exit code."""
    python = environment(name, wanted)
    told = [str(python), "-c", "import sqlalchemy; print(sqlalchemy.__version__)"]
    version = subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()
    print(f"\nSQLAlchemy {version} ({name})", flush=True)
    tests = [test for test in TESTS if (ROOT / test).exists()]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, check=False).returncode


if __name__ == "__main__":
    codes = {name: run(name, wanted, sys.argv[1:]) for name, wanted in VERSIONS.items()}
    failed = [name for name, code in codes.items() if code]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
