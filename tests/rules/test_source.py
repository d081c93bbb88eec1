"""The user's source is read by Python's lines."""

from pathlib import Path

import pytest

from queryproof.analyzer.query import CallSite
from queryproof.analyzer.source_edit.tree import Tree
from queryproof.rules.source import called_on, source_line, source_statement

PAGED = "import os\n\f\ndef send():\n    text = 'a\u2028b'\n\n    return os.sep\n"


def test_form_feeds_and_the_like_end_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text(PAGED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    place = CallSite("app.py", 6, "send")
    assert source_line(place) == "return os.sep"
    found = source_statement(place)
    assert found is not None
    assert found[0].lineno == 6
    assert Tree(PAGED).indentation(6) == "    "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("self.db.session.commit()", "self.db.session"),
        ("rows = await s.execute(query)", "s"),
        ("make().execute(query)", "session"),
        ("make().db.session.execute(query)", "session"),
        (".session.execute(query)", "session"),
        ("helper(query)", "session"),
        ("rows[0].execute(query)", "session"),
    ],
)
def test_what_is_called_is_named_as_the_line_names_it(
    line: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text(f"{line}\n")
    assert called_on(CallSite("shop.py", 1, "work"), ("execute", "commit"), "session") == expected
    assert called_on(CallSite("gone.py", 1, "work"), ("execute", "commit"), "session") == "session"
    assert called_on(None, ("execute",), "connection") == "connection"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "cp1252"])
def test_sources_are_read_in_their_own_encoding(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cookie = "# plain" if encoding == "utf-8-sig" else f"# -*- coding: {encoding} -*-"
    (tmp_path / "app.py").write_bytes(f"{cookie}\r\nname = 'é'\r\nrows = session.execute(query)\r\n".encode(encoding))
    place = CallSite("app.py", 3, "send")
    assert source_line(place) == "rows = session.execute(query)"
    assert source_statement(place) is not None
