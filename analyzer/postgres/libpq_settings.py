"""Connections to a server of our own, whatever PG… variables the user's shell holds for theirs."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def without_libpq_settings() -> Iterator[None]:
    """Take PGOPTIONS, PGSERVICE, PGHOSTADDR, PGTARGETSESSIONATTRS … out of the environment meanwhile, and put them back.

    libpq reads them whenever it connects, for every setting that it was not given. Threads wait for each other.
    """
    with _lock:
        kept = {name: value for name, value in os.environ.items() if name.startswith("PG")}
        for name in kept:
            del os.environ[name]
        try:
            yield
        finally:
            os.environ.update(kept)
