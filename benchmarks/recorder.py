"""`python -m benchmarks.recorder`: what recording costs, beside other recorders, each in a process of its own.

All processes live at once and take turns, one small batch each, so that whatever else the machine does hits all alike; they are
started anew several times, because where a process happens to lie in memory is worth up to a tenth of a query. A turn counts by
the fastest of its groups, and is compared with the bare process's turn of the same round; the figure is the median of the
rounds, with the middle half of them. With `--instructions` each contender runs under valgrind instead, which counts the
same on a busy machine as on an idle one, but not what the kernel does: a record's `write`. `--memory` runs a million executions.
"""

import argparse
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
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
STARTS = 6
ROUNDS = 12
"""Of each start; the first two, of cold processes, do not count."""
WORKLOADS = ("select", "lazy", "core")
CONTENDERS = (
    "bare", "bare again", "floor: cursor listeners", "floor: cursor and ORM listeners", "queryproof level 0",
    "queryproof level 1", "queryproof level 2", "queryproof level 0 in memory", "queryproof level 1 in memory",
    "pytest-queryguard", "pytest-queryguard, written", "queryspy", "pytest-querycount", "sqlalchemy-easy-profile", "opentelemetry", "sqltap",
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


# Listeners of one peer are of a form that SQLAlchemy warns of.
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT / ".typing"), "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"
}  # fmt: skip


class Worker:
    """One contender's process."""

    def __init__(self, python: Path, name: str) -> None:
        self.process = subprocess.Popen(
            [str(python), str(WORKER), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )

    def turn(self, workload: str) -> float:
        """CPU microseconds per query in the fastest group of one turn."""
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


def compare(python: Path, workload: str, contenders: tuple[str, ...]) -> None:
    """Print each contender's cost over the bare process, as a part of a bare query."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    bests: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(STARTS):
        workers = {name: Worker(python, name) for name in contenders}
        turns: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(ROUNDS):
            # Forwards and backwards in turn: nobody always comes after the same neighbour.
            for name in contenders if number % 2 else tuple(reversed(contenders)):
                turns[name].append(workers[name].turn(workload))
        for name, worker in workers.items():
            worker.end()
            times[name] += turns[name][2:]
            bests[name].append(min(turns[name][2:]))
    bare = times["bare"]
    print(
        f"\n{workload}: {len(bare)} rounds; bare {min(bare):.0f} µs a query at best, {statistics.median(bare):.0f} in the middle"
    )
    for name, values in times.items():
        parts = [(used - base) / base for used, base in zip(values, bare, strict=True)]
        low, middle, high = statistics.quantiles(parts, n=4)
        best = statistics.median(bests[name]) / statistics.median(bests["bare"]) - 1
        print(
            f"  {name:<34} {middle:5.2f} of a bare query ({low:.2f} … {high:.2f}), by the best turns {best:.2f}",
            flush=True,
        )


def instructions(python: Path, contenders: tuple[str, ...]) -> None:
    """Print how many instructions each contender runs for one query."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not there: install it (apt-get install valgrind), or leave --instructions out")
    counted: dict[str, dict[str, float]] = {}
    with ThreadPoolExecutor(2) as pool:
        for name, found in zip(contenders, pool.map(lambda name: _count(python, name), contenders), strict=True):
            counted[name] = found
            told = []
            for workload in WORKLOADS:
                bare = counted["bare"][workload]
                more = found[workload] - bare
                told.append(f"{workload} {found[workload]:9,.0f} {more:+9,.0f} = {more / bare:5.3f}")
            print(f"  {name:<34} {'   '.join(told)}", flush=True)


def _count(python: Path, name: str) -> dict[str, float]:
    command = [
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
        str(python),
        str(WORKER),
    ]
    done = subprocess.run(
        [*command, "count", name, *WORKLOADS], check=True, capture_output=True, text=True, env=ENVIRONMENT
    )
    totals = {
        pid: int(total.replace(",", "")) for pid, total in re.findall(r"==(\d+)== I\s+refs:\s+([\d,]+)", done.stderr)
    }
    found = {}
    for workload, (few, many, queries) in json.loads(done.stdout).items():
        found[workload] = (totals[str(many)] - totals[str(few)]) / queries
    return found


def memory(python: Path, executions: int) -> None:
    """Print what a long recording takes in memory, and what it takes to read its journal."""
    for kind in ("unrecorded", "of 300 texts", "of ever new texts"):
        with tempfile.TemporaryDirectory(prefix="bench-recorder-") as directory:
            command = [str(python), str(WORKER), "memory", str(executions), kind, directory]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
            size = sum(file.stat().st_size for file in Path(directory).glob("*")) / 1e6
            print(f"{executions:,} executions {kind}: {done.stdout.strip()} MB; journal {size:.0f} MB", flush=True)
            if kind == "of 300 texts":
                start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
                analyze = [sys.executable, "-m", "queryproof", "analyze", directory]
                code = subprocess.run(analyze, check=False, stdout=subprocess.DEVNULL).returncode
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                print(
                    f"  queryproof analyze of it: exit code {code}, {used:.0f} s of CPU, {time.monotonic() - start:.0f} s by the "
                    f"clock, at most {after.ru_maxrss / 1024:.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--instructions", action="store_true", help="count instructions under valgrind (minutes)")
    options.add_argument(
        "--memory", type=int, nargs="?", const=1_000_000, metavar="EXECUTIONS", help="memory of a long run"
    )
    options.add_argument("--only", action="append", choices=CONTENDERS, help="this contender beside the bare process")
    asked = options.parse_args()
    chosen = ("bare", *(name for name in CONTENDERS[1:] if not asked.only or name in asked.only))
    found = install()
    if asked.memory:
        memory(found, asked.memory)
    elif asked.instructions:
        instructions(found, chosen)
    else:
        for each in WORKLOADS:
            compare(found, each, chosen)
