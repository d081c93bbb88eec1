"""The ORM rules on a single test: recorded beside everything else, judged when the test is over."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..analyzer.errors import SourceError
from ..analyzer.record.journal import Journal
from ..analyzer.record.recorder import Recorder
from ..analyzer.sources.journal import Recording, read_recording

if TYPE_CHECKING:
    from ..analyzer.recommendation import Recommendation
    from ..rules.finding import Finding

N_PLUS_ONE = frozenset(("n-plus-one", "column-load-in-loop", "repeated-query", "interleaved-n-plus-one"))


class OrmCheck:
    """Records from its making until `close`, with everything that the rules want to know, in a directory of its own."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="queryproof-")
        self._recorder = Recorder(Journal(Path(self._place.name) / "journal", parameters=True))
        self._recorder.install()
        self._recorder.install_orm()

    def recording(self) -> Recording | None:
        """What was sent so far; None when nothing was."""
        try:
            return read_recording(Path(self._place.name) / "journal")
        except SourceError:
            return None

    def close(self) -> None:
        """Stop, and leave nothing behind. Twice is once."""
        self._recorder.remove()
        self._place.cleanup()


def n_plus_one_messages(recording: Recording | None) -> list[str]:
    """What the rules about queries in loops say of it: a sentence, the query's place, the option to add."""
    if recording is None:
        return []
    # The rules need a parser: only a test that wants them pays for it.
    from ..analyzer.sources.grouping import build_workload
    from ..analyzer.sql.parse import analyse
    from ..rules.judge import judge
    from ..rules.rule import Case

    workload = build_workload(recording.queries, (recording.source,), recording.events, recording.uses)
    statements = {group.fingerprint: analyse(group.text, None) for group in workload.groups}
    findings, _ = judge(Case(workload, statements, {}, None))
    return [_message(one) for one in findings if one.rule in N_PLUS_ONE]


def _message(finding: "Finding") -> str:
    lines = [f"  {finding.rule}: {finding.message}"]
    if finding.place is not None:
        lines.append(f"      query at {finding.place.file}:{finding.place.line} in {finding.place.function}")
    if finding.remedy is not None:
        lines += (f"      {line}" for line in _advice(finding.remedy))
    return "\n".join(lines)


def _advice(remedy: "Recommendation") -> Iterator[str]:
    """What to write: the option, or each of the statements that ask for all at once."""
    if remedy.kind == "orm-edit":
        for code in remedy.code[:1]:
            first, *more = code.text.splitlines()
            yield from (f"add {first}", *(f"    {line}" for line in more))
    else:
        for code in remedy.code:
            yield f"ask once: {' '.join(code.text.split())}"
