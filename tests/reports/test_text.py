"""Figures, the terminal, and writing."""

import dataclasses
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from queryproof.analyzer.errors import OutputError, SourceError
from queryproof.analyzer.recommendation import Evidence, Recommendation
from queryproof.reports.json_report import from_json
from queryproof.reports.numbers import duration, factor, figure, size, visible
from queryproof.reports.report import SCHEMA_VERSION, Report
from queryproof.reports.terminal import print_report
from queryproof.reports.write import check_writable, write_reports


def bare() -> Report:
    return Report(SCHEMA_VERSION, "0", None, None, None, None, None, 0, (), (), (), (), {}, (), (), (), ("nothing",))


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (figure(0.000123), "0.000123"),
        (figure(12345.6), "12\u202f346"),
        (duration(999.0), "999 ms"),
        (duration(999.7), "1 s"),
        (duration(12_400), "12.4 s"),
        (duration(None), "–"),
        (size(3 << 20), "3 MB"),
        (factor(41, 1), "41× less"),
        (factor(1, 2), "2× more"),
        (visible("a\x1b[31m\u202e"), "a\\x1b[31m\\u202e"),
    ],
)
def test_figures_are_written_for_people(shown: str, wanted: str) -> None:
    assert shown == wanted


@given(st.text())
def test_no_control_character_is_shown(text: str) -> None:
    assert not any(ord(character) < 32 and character not in "\n\t" for character in visible(text))


@pytest.mark.parametrize("width", [1, 20, 80, 200])
def test_the_summary_fits_any_terminal_and_steers_none(width: int) -> None:
    action = Recommendation(
        "r", "index", "Add \x1b]0;pwned\x07 [bold]x[/bold]", "", Evidence("matched", "a pattern"), (), ()
    )
    report = dataclasses.replace(bare(), recommendations=(action,))
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    assert "\x1b" not in out.getvalue()
    assert "[bold]" in out.getvalue() or width < 20


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    assert [path.name for path in write_reports(bare(), tmp_path / "a" / "b")] == ["report.html", "report.json"]
    assert sorted(os.listdir(tmp_path / "a" / "b")) == ["report.html", "report.json"]


def test_a_directory_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="--output"):
        check_writable(tmp_path / "file" / "below")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "report.html").symlink_to(tmp_path / "victim")
    with pytest.raises(OutputError, match="link"):
        write_reports(bare(), tmp_path)
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"schema_version": 999}', b"\xff"])
def test_what_is_no_report_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError):
        from_json(data)
