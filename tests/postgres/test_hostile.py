"""E1, E2, E3, E10, E14: whatever is explained, the database, its sessions and the machine are as before.

A representative part on the bundled server; `make test-matrix` runs all attacks on 13–18.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from queryproof.analyzer.errors import StatementError
from queryproof.analyzer.postgres.cage import explain_in_cage
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.conversation import Conversation
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.postgres.target import read_target

from .attacks import as_value, attacks, representative
from .hostile import Fortress, damage, fortress, session


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    directory = tmp_path_factory.mktemp("hostile")
    directory.chmod(0o777)
    with fortress(server, "hostile", directory / "touched") as built:
        yield built


def test_there_are_more_than_five_hundred_attacks_and_the_part_has_all_families() -> None:
    every = attacks("/nowhere")
    assert len(every) > 500
    assert {one.family for one in representative(every)} == {one.family for one in every}


@pytest.mark.parametrize("user", ["app", "postgres"])
def test_e1_e2_e3_e10_no_attack_changes_anything(place: Fortress, user: str) -> None:
    samples = [(one.sql, ()) for one in representative(attacks(str(place.file)))]
    # Each text by one of the two: `make test-matrix` has both try all.
    assert damage(place, user, samples[user == "postgres" :: 2]) == []


def test_e1_attacks_as_values_of_any_driver_stay_values(place: Fortress) -> None:
    texts = [one.sql for one in representative(attacks(str(place.file)))][::18]
    samples = [
        sample
        for text in texts
        for sample in (*as_value(text), (text + " AND email = $1", ("'; DELETE FROM accounts; --",)))
    ]
    assert damage(place, "app", samples) == []


@pytest.mark.parametrize("user", ["app", "postgres"])
def test_e1_the_cage_holds_without_the_guard(place: Fortress, user: str) -> None:
    """Statements only: what functions do inside one statement is the guard's and READ ONLY's to hold."""
    connection = connect(place.url if user == "app" else place.admin_url)
    conversation = Conversation(connection)
    target = read_target(connection, allow_superuser=True)
    kept = session(connection)
    escaped: list[tuple[str, str, bool]] = []
    for attack in attacks(str(place.file))[::13]:
        if attack.family != "statements" or "NOTIFY" in attack.sql or "advisory" in attack.sql or "\0" in attack.sql:
            continue
        if len(escaped) > 3:
            break
        for options, prepare in (("FORMAT JSON", False), ("ANALYZE, FORMAT JSON", False), ("FORMAT JSON", True)):
            with contextlib.suppress(StatementError):
                explain_in_cage(
                    conversation, "" if prepare else attack.sql, options, timeout_s=5, target=target,
                    prepare=attack.sql if prepare else "",
                )  # fmt: skip
            if place.state() != place.before or session(connection) != kept:
                escaped.append((attack.sql, options, prepare))
                place.before = place.state()
    assert escaped == []
    connection.close()


def test_e14_functions_of_the_same_name_are_not_run(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with fortress(server, "hijacked", tmp_path / "touched", hijack=True) as place:
        samples = [(one.sql, ()) for one in representative(attacks(str(place.file)))][::9]
        samples += [
            ("SELECT lower(email) FROM accounts", ()),
            ("SELECT email || 'x' FROM accounts WHERE email = 'a'", ()),
        ]
        assert damage(place, "app", samples) == []
