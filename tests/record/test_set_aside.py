"""`record --output`: an earlier recording is kept, and what is not a recording is never moved or deleted."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from queryproof import record
from queryproof.analyzer.errors import OutputError
from queryproof.analyzer.sources.journal import has_recording, set_aside
from queryproof.cli import main


def recording(directory: Path) -> Path:
    with record(None, directory), create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT 1"))
    return directory


def tree(directory: Path) -> dict[str, bytes]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_an_earlier_recording_is_kept_once(tmp_path: Path) -> None:
    for _ in range(3):
        recording(tmp_path / "j")
        (tmp_path / "j" / "proof.json").write_text("{}")
        assert set_aside(tmp_path / "j") == tmp_path / "j-previous"
    assert [path.name for path in tmp_path.iterdir()] == ["j-previous"]
    assert has_recording(tmp_path / "j-previous")


def test_files_of_others_with_our_ending_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"name": "precious"}\n')
    (tmp_path / "0123456789abcdef-1.jsonl").write_text('{"name": "named as ours are"}\n')
    assert not has_recording(tmp_path)


@pytest.mark.parametrize("what", ["notes.txt", "data.jsonl", "sub/file", "0123456789abcdef-1.jsonl"])
@pytest.mark.parametrize("where", ["j", "j-previous"])
def test_a_directory_with_anything_else_is_refused_whole(what: str, where: str, tmp_path: Path) -> None:
    recording(tmp_path / "j")
    recording(tmp_path / "j-previous")
    foreign = tmp_path / where / what
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text('{"precious": 1}\n')
    before = tree(tmp_path)
    result = CliRunner().invoke(main, ["record", "--output", str(tmp_path / "j"), "--", "true"])
    assert result.exit_code == 2
    assert "--output" in result.output
    assert "Traceback" not in result.output
    assert tree(tmp_path) == before


def test_links_files_and_the_current_directory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(tmp_path / "j")
    (tmp_path / "j-previous").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="not a directory of a recording"):
        set_aside(tmp_path / "j")
    (tmp_path / "j-previous").unlink()
    (tmp_path / "j-previous").write_text("precious")
    with pytest.raises(OutputError, match="not a directory of a recording"):
        set_aside(tmp_path / "j")
    monkeypatch.chdir(tmp_path / "j")
    with pytest.raises(OutputError, match="is where you are"):
        set_aside(Path())
    assert (tmp_path / "j-previous").read_text() == "precious"


def test_a_mistyped_command_moves_nothing(tmp_path: Path) -> None:
    recording(tmp_path / "j")
    before = tree(tmp_path)
    result = CliRunner().invoke(main, ["record", "--output", str(tmp_path / "j"), "--", "no-such-command"])
    assert result.exit_code == 2
    assert "no-such-command" in result.output
    assert tree(tmp_path) == before
