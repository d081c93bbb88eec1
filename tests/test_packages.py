"""What ships, and what is public."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import queryproof
from docs import stairs

ROOT = Path(str(queryproof.__file__)).parent
FOLDERS = ("analyzer", "commands", "rules", "reports", "sample_db", "testing")


def test_the_list_of_packages_is_the_tree() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"queryproof"} | {
        ".".join(["queryproof", *path.parent.relative_to(ROOT).parts])
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(listed) == found
    assert listed == sorted(listed)


def test_public_names_are_these() -> None:
    names = "ASGIMiddleware QueryproofError WSGIMiddleware __version__ analyze propagate record scaling scope"
    assert sorted(queryproof.__all__) == names.split()
    for name in queryproof.__all__:
        assert getattr(queryproof, name) is not None


def test_imports_run_down_the_stairs() -> None:
    assert list(stairs.violations()) == []


def test_a_wheel_holds_only_the_package_and_all_its_files(tmp_path: Path) -> None:
    # Built from a copy: the build leaves an egg-info, which the next run of pytest from this folder would trip over.
    copy = tmp_path / "copy"
    left_out = shutil.ignore_patterns(".?*", "build", "*.egg-info", "queryproof-*")
    shutil.copytree(ROOT, copy, ignore=left_out, symlinks=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(copy),
    ]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True).returncode:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"queryproof", f"queryproof-{queryproof.__version__}.dist-info"}
    for needed in (
        "py.typed",
        "reports/html/style.css",
        "reports/html/templates/report.html",
        "analyzer/record/site/sitecustomize.py",
    ):
        assert f"queryproof/{needed}" in names
    assert not any("/tests/" in name or "/docs/" in name for name in names)
