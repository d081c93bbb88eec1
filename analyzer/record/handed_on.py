"""Hands signals on to a recorded program, each once: not those that have reached it already.

A signal may be sent to us alone (`kill`, a service manager) or to our whole process group (Ctrl-C at a terminal, `timeout`, a CI
runner), which the program belongs to. Nothing in a signal tells the two apart. So a witness stands in the group, a process that
only waits: the signal that ended it was sent to the group.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SETTLES_S = 0.1
"""Time in which one signal reaches all of a group, and in which equal ones count as one: `timeout` sends to us and to the group."""
END = signal.SIGVTALRM
"""Ends a witness that nothing else has ended. The first deadly signal that a process gets is the one that it dies of."""


class HandedOn:
    """Signals of one program. interrupted: one of them has come."""

    def __init__(self) -> None:
        self.interrupted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._witness = _start_witness()
        self._arrived: list[int] = []
        self._busy = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler. One that interrupts another, or comes before the program, only notes its number."""
        self.interrupted = True
        if number not in self._arrived:
            self._arrived.append(number)
        self._hand_on()

    def to(self, process: "subprocess.Popen[bytes]") -> None:
        """The program has been started: what has come before it goes to it whoever else got it."""
        early, self._arrived = self._arrived, []
        for number in early:
            process.send_signal(number)
        self._process = process
        self._hand_on()

    def _hand_on(self) -> None:
        while self._process is not None and self._arrived and not self._busy:
            self._busy = True
            time.sleep(SETTLES_S)
            arrived = tuple(self._arrived)
            to_group = self._ended_witness()
            self._arrived = [one for one in self._arrived if one not in arrived]
            for one in arrived:
                if one != to_group:
                    self._process.send_signal(one)
            self._busy = False

    def close(self) -> None:
        """End the witness."""
        self._ended_witness(again=False)

    def _ended_witness(self, *, again: bool = True) -> int | None:
        """The signal that has ended the witness; another one stands in its place."""
        witness = self._witness
        if witness is None:
            return None
        with suppress(ProcessLookupError):
            witness.send_signal(END)
        assert witness.stdin is not None
        witness.stdin.close()
        code = witness.wait()
        self._witness = _start_witness() if again else None
        return -code if code < 0 and -code != END else None


@contextmanager
def handed_on() -> Iterator[HandedOn]:
    """While the block runs, signals are handed on to the program that it starts and names with `to`.

    Around the start as well: a program is faster than whoever waits for it. What was ignored before stays ignored, as it is in
    the program.
    """
    hands = HandedOn()
    earlier = {one: signal.getsignal(one) for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}
    for number in earlier:
        signal.signal(number, hands)
    try:
        yield hands
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        hands.close()


def _start_witness() -> "subprocess.Popen[bytes] | None":
    """A shell that waits for a line that never comes; the pipe's end ends it when we are killed. None where there is no shell."""
    try:
        return subprocess.Popen(["/bin/sh", "-c", "read -r line"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    except OSError:
        return None
