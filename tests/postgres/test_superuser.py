"""A superuser's rights are lowered for real: nothing that a function does brings them back, and who can get them is refused."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from queryproof.analyzer.errors import ServerError, StatementError
from queryproof.analyzer.postgres.cage import explain_in_cage
from queryproof.analyzer.postgres.connect import connect
from queryproof.analyzer.postgres.conversation import Conversation
from queryproof.analyzer.postgres.server import Server
from queryproof.analyzer.postgres.target import read_target

WAYS = (
    "NULL",
    "PERFORM set_config('role', 'none', false)",
    "PERFORM set_config('role', 'none', true)",
    "PERFORM set_config('role', session_user, true)",
    "PERFORM set_config('session_authorization', 'postgres', true)",
    "RESET ROLE",
    "RESET ALL",
    "SET ROLE NONE",
    "SET LOCAL ROLE postgres",
    "SET SESSION AUTHORIZATION DEFAULT",
    "EXECUTE 'RESET SESSION AUTHORIZATION'",
    "EXECUTE 'DISCARD ALL'",
    "COMMIT",
    "ROLLBACK AND CHAIN",
)
"""Each is tried in a function that swallows its error and then says who it runs as."""
ROLES = """
CREATE ROLE boss SUPERUSER;
CREATE ROLE deputy LOGIN NOINHERIT IN ROLE boss;
CREATE ROLE clerk LOGIN IN ROLE deputy;
CREATE ROLE operator LOGIN NOINHERIT IN ROLE pg_execute_server_program;
"""


@pytest.fixture(scope="module")
def root(server: Server) -> Iterator[Connection]:
    server.create_database("lowered")
    opened = connect(server.url("lowered", "postgres"))
    with opened.cursor() as cursor:
        cursor.execute(ROLES)
        for number, way in enumerate(WAYS):
            for volatility in ("volatile", "immutable"):
                cursor.execute(
                    f"CREATE FUNCTION way_{number}_{volatility}() RETURNS text LANGUAGE plpgsql {volatility} AS $way$"
                    f" BEGIN BEGIN {way}; EXCEPTION WHEN OTHERS THEN NULL; END;"
                    " RAISE EXCEPTION 'runs as % %', current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
                    " USING ERRCODE = '42P01'; END $way$"
                )
    yield opened
    with opened.cursor() as cursor:
        cursor.execute("DROP ROLE clerk, deputy, operator, boss")
    opened.close()


@pytest.mark.parametrize("options", ["FORMAT JSON", "ANALYZE, FORMAT JSON"])
def test_no_function_gets_the_rights_back(root: Connection, server: Server, options: str) -> None:
    connection = connect(server.url("lowered", "postgres"))
    target = read_target(connection, allow_superuser=True)
    assert target.lower
    conversation = Conversation(connection)
    volatility = "volatile" if "ANALYZE" in options else "immutable"
    for number, way in enumerate(WAYS):
        with pytest.raises(StatementError, match="runs as pg_read_all_data f") as caught:
            explain_in_cage(conversation, f"SELECT way_{number}_{volatility}()", options, timeout_s=5, target=target)
        assert "postgres" not in str(caught.value), way
    connection.close()


@pytest.mark.parametrize("role", ["deputy", "clerk", "operator"])
def test_who_can_get_such_rights_is_refused(root: Connection, server: Server, role: str) -> None:
    connection = connect(server.url("lowered", role))
    with pytest.raises(ServerError, match="is a member of"):
        read_target(connection, allow_superuser=False)
    with pytest.raises(ServerError, match="cannot be lowered"):
        read_target(connection, allow_superuser=True)
    connection.close()


def test_a_superuser_that_has_taken_another_role_is_still_one(root: Connection, server: Server) -> None:
    connection = connect(server.url("lowered", "postgres") + "&options=-crole%3Dapp")
    with pytest.raises(ServerError, match="is a superuser"):
        read_target(connection, allow_superuser=False)
    with pytest.raises(ServerError, match="cannot be lowered"):
        read_target(connection, allow_superuser=True)
    connection.close()


def test_a_right_that_is_lost_by_lowering_is_not_to_be_granted(root: Connection, server: Server) -> None:
    connection = connect(server.url("lowered", "postgres"))
    with root.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (n int)")
    target = read_target(connection, allow_superuser=True)
    with pytest.raises(StatementError, match=r"permission denied for table kept .*rights are lowered") as caught:
        explain_in_cage(
            Conversation(connection), "INSERT INTO kept VALUES (1)", "FORMAT JSON", timeout_s=5, target=target
        )
    assert "GRANT" not in str(caught.value)
    connection.close()
