"""What of a journal could not be read, or was never written."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Losses:
    """What could not be read, or was not written."""

    damaged: int = 0
    nameless: int = 0
    cut: int = 0
    dropped: int = 0
    rotated: int = 0
    faults: int = 0
    off: bool = False
    reasons: set[str] = field(default_factory=set)
    empty: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of loss, for people."""
        found = []
        if self.damaged:
            found.append(f"{_counted(self.damaged, 'damaged line')} left out")
        if self.nameless:
            found.append(
                f"{_counted(self.nameless, 'execution')} left out because the text of their statement is damaged"
            )
        if self.cut:
            found.append(f"{_counted(self.cut, 'statement')} longer than 40 kB and cut: grouped but not explained")
        if self.dropped:
            found.append(
                f"{self.dropped} execution{'s' if self.dropped > 1 else ''} could not be written: {', '.join(sorted(self.reasons))}"
            )
        if self.rotated:
            found.append(
                f"{self.rotated} older segments are gone: they made place for newer ones (--max-size) or were deleted"
            )
        if self.faults:
            found.append(f"{self.faults} internal errors of the recorder: statements may be missing")
        if self.off:
            found.append("the recorder has switched itself off before the program ended")
        if self.empty:
            found.append(f"{len(self.empty)} empty segment{'s' if len(self.empty) > 1 else ''}")
        if self.refused:
            found.append(f"{len(self.refused)} files are not segments of ours and were not opened")
        return tuple(found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s were' if number > 1 else ' was'}"
