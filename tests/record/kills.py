"""`python kills.py JOURNALS COUNT`: starts children that record, kills each at a random moment, prints what each had done.

A process of its own, because the children of a small one start and die fast.
"""

import gc
import os
import random
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from queryproof import record

MOST = 300
"""Statements after which a child only waits to be killed."""


def work(out: int, directory: Path) -> None:
    """Send statements; a byte for each that has returned."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with record(engine, directory), engine.connect() as connection:
        for number in range(MOST):
            connection.exec_driver_sql(f"SELECT {number % 50}")
            os.write(out, b".")
        signal.pause()


def kill_one(directory: Path) -> int:
    """Statements that the child was told to have succeeded."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        work(write, directory)
        os._exit(1)
    os.close(write)
    told = len(os.read(read, 65536))
    time.sleep(random.random() * 0.004)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(read, 65536):
        told += len(piece)
    os.close(read)
    return told


if __name__ == "__main__":
    random.seed(3)
    # All imports before the first child, or each would do them.
    with record(None, Path(sys.argv[1])), create_engine("sqlite://").connect() as warm:
        warm.exec_driver_sql("SELECT 1")
    gc.freeze()
    print(*(kill_one(Path(sys.argv[1]) / str(number)) for number in range(int(sys.argv[2]))), sep="\n")
