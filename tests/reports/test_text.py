"""Figures, the terminal, and writing."""

import dataclasses
import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from queryproof.analyzer.errors import OutputError, SourceError
from queryproof.analyzer.recommendation import Code, Evidence, Recommendation
from queryproof.reports.html.markdown import blocks, prose
from queryproof.reports.json_report import from_json, to_json
from queryproof.reports.numbers import duration, factor, figure, size, visible
from queryproof.reports.report import SCHEMA_VERSION, Report
from queryproof.reports.terminal import print_report
from queryproof.reports.write import check_writable, write_reports, write_text

from .example import example


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


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="no file"):
        write_text(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"schema_version": 999}', b"\xff", b'{"schema_version": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_report_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError):
        from_json(data)


def test_the_summary_says_what_first_and_how_sure(tmp_path: Path) -> None:
    out = io.StringIO()
    print_report(example(), Console(file=out, width=80), [tmp_path / "report.html"])
    text = out.getvalue()
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    assert lines[0] == "≈ 12.3 s of 18.9 s of database time can go: 2 indexes, 1 ORM edit, 1 rewrite, 1"
    assert lines[2] == " 1. Add a partial B-tree index on orders (created_at) where status = 'open'"
    assert lines[3:6] == [
        "    measured, error  500 ms → 12.2 ms, 41× less",
        "    saves 8.2 s of 18.9 s recorded",
        "    at shop/orders/views.py:212 in open_orders",
    ]
    assert "    estimated, error  4\u202f201 queries → ≈ 2" in text
    assert "    planned, warning  planner's cost 5\u202f000 → 8.3, 602× less" in text
    assert "saves ≈ 3.1 s" in text
    assert "warning  SQL002 cartesian-join" in text
    assert "Not looked at: query 00ff: more than one statement" in text
    ddl = next(line for line in lines if "CREATE INDEX" in line)
    assert ddl.endswith(";")
    # Text to copy stays on its line; what is to be read does not leave the screen.
    code = {
        line.strip() for action in example().recommendations for one in action.code for line in one.text.splitlines()
    }
    assert max(len(line) for line in lines[:-1] if line.strip() not in code) <= 80
    assert str(tmp_path / "report.html") in text


def test_of_a_long_diff_the_edit_is_shown_and_not_the_imports() -> None:
    imports = "".join(f"+    name{n},\n" for n in range(9))
    diff = f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n{imports}@@ -9 +19 @@\n-query = select(A)\n+query = select(A).options(x)\n"
    action = Recommendation(
        "r", "orm-edit", "Load it", "", Evidence("matched", "a pattern"), (Code("Diff", "diff", diff),), ()
    )
    out = io.StringIO()
    print_report(dataclasses.replace(bare(), recommendations=(action,)), Console(file=out, width=80))
    lines = [line.strip() for line in out.getvalue().splitlines()]
    at = lines.index("…")
    assert lines[at + 1 : at + 3] == ["-query = select(A)", "+query = select(A).options(x)"]


def test_changes_and_long_times_keep_three_digits() -> None:
    assert factor(128, 0.025) == "5\u202f120× less"
    assert duration(12_345_678) == "12\u202f300 s"
    assert figure(12_345, whole=False) == "12\u202f300"
    assert factor(1, 1.001) == "unchanged"


def test_an_older_report_survives_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reports(bare(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_reports(example(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_json_has_the_same_bytes_whatever_the_order_of_plans() -> None:
    report = example()
    turned = dataclasses.replace(report, plans=dict(reversed(report.plans.items())))
    assert to_json(turned) == to_json(report)
    assert from_json(to_json(report)) == report


def test_the_markdown_of_a_rule_page_becomes_blocks() -> None:
    page = "One `line`.\n\n## Bad\n```sql\n# no heading\n```\ntail\n```\nopen"
    assert [(block.kind, block.text) for block in blocks(page)] == [
        ("paragraph", "One `line`."), ("heading", "Bad"), ("code", "# no heading"), ("paragraph", "tail"), ("code", "open"),
    ]  # fmt: skip
    assert prose("a `<b>` & c") == "a <code>&lt;b&gt;</code> &amp; c"


@pytest.mark.parametrize(("withheld", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_others_may_read_a_report_where_the_user_lets_them(withheld: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(withheld)
    try:
        paths = write_reports(bare(), tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in paths} == {mode}
