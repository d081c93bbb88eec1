"""Packages that only a benchmark needs, in a folder of their own."""

import shutil
import subprocess
import sys
from pathlib import Path


def install(requirement: str, folder: Path) -> None:
    """Install it into the folder, with uv where it is on the PATH (its environments have no pip), else with pip."""
    if shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    else:
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, "--target", str(folder), requirement], check=True)
