"""E1, E2, E3, E10, E14 on every major, all attacks, as the tables' owner and as a superuser."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from queryproof.analyzer.errors import ServerError
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.explain import Explainer
from queryproof.analyzer.postgres.server import Server

from ..postgres.attacks import STUBBORN, as_value, attacks, representative
from ..postgres.hostile import Fortress, damage, fortress

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def place(major_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    directory = tmp_path_factory.mktemp("hostile")
    directory.chmod(0o777)
    with fortress(major_server, f"hostile_{next(_numbers)}", directory / "touched") as built:
        yield built


def test_no_attack_as_owner_changes_anything(place: Fortress) -> None:
    assert damage(place, "app", [(one.sql, ()) for one in attacks(str(place.file))]) == []


def test_no_attack_as_superuser_changes_anything(place: Fortress, major_server: Server) -> None:
    if major_server.binaries.major < 14:
        connection = connect(place.admin_url)
        with pytest.raises(ServerError, match="before PostgreSQL 14"):
            Explainer(connection, analyze=True, allow_superuser=True)
        connection.close()
        return
    assert damage(place, "postgres", [(one.sql, ()) for one in attacks(str(place.file))]) == []


def test_no_attack_without_values_changes_anything(place: Fortress) -> None:
    texts = [one.sql for one in representative(attacks(str(place.file)))]
    samples = [(f"{text} /* $1 */", None) for text in texts] + [(f"{text} LIMIT $1", None) for text in texts]
    assert damage(place, "app", samples) == []


def test_no_value_of_any_driver_changes_anything(place: Fortress) -> None:
    texts = [one.sql for one in representative(attacks(str(place.file)))]
    samples = [sample for text in texts for sample in as_value(text)]
    assert damage(place, "app", samples) == []


def test_hijacked_names_and_old_strings_change_nothing(major_server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with fortress(major_server, f"hijacked_{next(_numbers)}", tmp_path / "touched", hijack=True) as hijacked:
        samples = [(one.sql, ()) for one in representative(attacks(str(hijacked.file)))]
        assert damage(hijacked, "app", samples) == []


def test_e4_functions_that_eat_timeouts_end_all_the_same(place: Fortress) -> None:
    assert damage(place, "app", [(sql, ()) for sql in STUBBORN], timeout_s=0.3, ends_session=True) == []
