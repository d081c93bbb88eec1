"""`python -m benchmarks.recorder`: what recording costs, beside other recorders, each in a process of its own.

All processes live at once and take turns, one small batch each, so that whatever else the machine does hits all alike. The
figure is CPU time per query over the bare process, by minimum and by median of the rounds.
"""

import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".bench" / "recorder"
WORKER = Path(__file__).parent / "recorder_worker.py"
PEERS = (
    "pytest-queryguard==0.4.1", "queryspy==0.6.0", "pytest-querycount==0.4.0", "sqltap==0.3.11",
    "opentelemetry-sdk", "opentelemetry-instrumentation-sqlalchemy",
)  # fmt: skip
UNCHECKED = ("sqlalchemy-easy-profile==1.3.0", "sqlparse")
"""Installed without their dependencies: they exclude the SQLAlchemy that is measured."""
SQLALCHEMY = "sqlalchemy[asyncio]==2.1.9"
ROUNDS = 60
CONTENDERS = (
    "bare", "bare again", "floor: cursor listeners", "floor: cursor and ORM listeners", "queryproof level 0",
    "queryproof level 1", "queryproof level 2", "pytest-queryguard", "queryspy", "pytest-querycount",
    "sqlalchemy-easy-profile", "opentelemetry", "sqltap",
)  # fmt: skip


def install() -> Path:
    """The Python of an environment of its own with all contenders, made when it is not there."""
    python = PLACE / "bin" / "python"
    if not (PLACE / ".set-up").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, SQLALCHEMY, *PEERS], check=True)
        subprocess.run([*pip, "--no-deps", *UNCHECKED], check=True)
        (PLACE / ".set-up").touch()
    return python


class Worker:
    """One contender's process."""

    def __init__(self, python: Path, name: str) -> None:
        environment = {"PYTHONPATH": str(ROOT / ".typing"), "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            [str(python), str(WORKER), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def batch(self, workload: str) -> float:
        """CPU microseconds per query of one batch."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(workload + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def compare(python: Path, workload: str, contenders: tuple[str, ...], rounds: int = ROUNDS) -> None:
    """Print each contender's cost over the bare process."""
    workers = {name: Worker(python, name) for name in contenders}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 3):
        # Forwards and backwards in turn: nobody always comes after the same neighbour.
        for name in contenders if number % 2 else tuple(reversed(contenders)):
            used = workers[name].batch(workload)
            if number >= 3:
                times[name].append(used)
    for worker in workers.values():
        worker.end()
    low, middle = min(times["bare"]), statistics.median(times["bare"])
    print(f"\n{workload}: CPU µs a query over bare (bare: min {low:.0f}, median {middle:.0f}); min, median")
    for name, values in times.items():
        print(f"  {name:<34} {min(values) - low:+7.1f} {statistics.median(values) - middle:+7.1f}", flush=True)


def memory(python: Path, executions: int) -> None:
    """Print what a long recording takes in memory."""
    environment = {"PYTHONPATH": str(ROOT / ".typing"), "PATH": "/usr/bin:/bin"}
    command = [str(python), str(WORKER), "memory", str(executions)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    before, after = done.stdout.split()
    print(f"\n{executions:,} executions, half of them of distinct texts: {before} MB before, {after} MB at the peak")


if __name__ == "__main__":
    found = install()
    for each in ("select", "lazy", "core"):
        compare(found, each, CONTENDERS)
    memory(found, 1_000_000)
