"""An installed application: `record --application` says that it is one."""

import os
import socket
import socketserver
import sys
from pathlib import Path

import pytest
import sqlalchemy
from click.testing import CliRunner

from queryproof.analyzer.record import call_site
from queryproof.analyzer.sources.journal import read_journal
from queryproof.cli import main

MODULE = """
from sqlalchemy import create_engine, text
def work():
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT 1"))  # line 5
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    package = tmp_path / "lib" / "site-packages" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "orders.py").write_text(MODULE)
    return package


@pytest.mark.parametrize(
    ("named", "path", "found"),
    [
        ("shop", "shop/orders.py", True),
        ("shop.orders", "shop/orders.py", True),
        ("shop.web", "shop/orders.py", False),
        ("sho", "shop/orders.py", False),
        ("orders", "shop/orders.py", False),
        ("shop", "shopping/orders.py", False),
        ("", "shop/orders.py", False),
    ],
)
def test_a_package_is_known_by_its_name(named: str, path: str, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (named.replace(".", "/") + "/", named.replace(".", "/") + ".py") if named else ()
    monkeypatch.setattr(call_site, "_packages", names)
    assert (
        call_site._application_file(f"/opt/venv/lib/python3.11/site-packages/{path}", sys._getframe()) is not None
    ) is found


def test_an_installed_application_is_asked_for_and_then_found(installed: Path, tmp_path: Path) -> None:
    runner = installed.parent / "run_shop.py"
    runner.write_text("import shop.orders\nshop.orders.work()\n")

    def recorded(*options: str) -> tuple[str, list[str]]:
        command = ["record", "--output", str(tmp_path / "j"), *options, "--", sys.executable, str(runner)]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0
        (query,) = read_journal(tmp_path / "j")[0]
        return result.output, [site.file.rpartition(os.sep)[2] for site in query.stack]

    told, files = recorded()
    assert "--application" in told
    assert files == []
    told, files = recorded("--application", "shop", "--application", "run_shop")
    assert "--application" not in told
    assert files == ["orders.py", "run_shop.py"]
    assert recorded("--application", str(installed))[1] == ["orders.py"]


def test_packages_beside_sqlalchemy_outside_site_packages_are_no_application(tmp_path: Path) -> None:
    # As `pip install --target deps` leaves them.
    places = tmp_path / "deps"
    places.mkdir()
    installed = Path(sqlalchemy.__file__).parents[1]
    for source in (installed / "sqlalchemy", next(installed.glob("[Ss][Qq][Ll][Aa]lchemy-*.dist-info"))):
        (places / source.name).symlink_to(source)
    (places / "mine.py").write_text(MODULE)
    runner = tmp_path / "run_shop.py"
    runner.write_text("import mine\nmine.work()\n")
    command = ["record", "--output", str(tmp_path / "j"), "--", sys.executable, str(runner)]
    result = CliRunner(env={"PYTHONPATH": str(places)}).invoke(main, command)
    assert result.exit_code == 0
    (query,) = read_journal(tmp_path / "j")[0]
    assert [(Path(site.file).name, site.line) for site in query.stack] == [("mine.py", 5), ("run_shop.py", 2)]


def test_the_loop_of_a_server_is_no_loop_of_the_application() -> None:
    found: list[call_site.CallStack] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            found.append(call_site.call_stack())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=60):
                server.handle_request()
    first, second = ([site[2].rpartition(".")[2] for site in one.sites] for one in found)
    assert first == second == ["handle"]
