"""Connections to a user's PostgreSQL."""

import re

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ..errors import ServerError

APPLICATION_NAME = "queryproof"
CONNECT_TIMEOUT_S = 10
ENCODING = "UTF8"
"""Of what is sent and received, whatever the database's own is: no letter is missing in it. A database in SQL_ASCII sends its bytes
as they are."""
OURS = "/* queryproof */"
"""Stands in those of our statements that read a user's tables, so that pg_stat_statements does not show them as his."""
# A network that swallows packets is noticed by the system, not only by our own watchdog.
_LINE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_SHOWN = frozenset(("host", "port", "dbname", "user", "sslmode"))
"""Options of a URL that may be shown; `password`, `sslpassword` and whatever else there is may not."""

_SSL_MODES = frozenset(("disable", "allow", "prefer", "require", "verify-ca", "verify-full"))
"""Of libpq's `sslmode`, which asyncpg calls `ssl`."""
_UNKNOWN = re.compile(r'invalid URI query parameter: "(\w+)"')

_REMEDIES = (
    ("password authentication failed", "check the user and the password (PGPASSWORD and ~/.pgpass work too)"),
    ("no password supplied", "put the password into the URL, PGPASSWORD or ~/.pgpass"),
    ("does not exist", "check the name of the database and of the role"),
    ("Connection refused", "is the server running, and does it listen on that host and port?"),
    ("No such file or directory", "is the server running, and is its socket in that directory?"),
    ("could not translate host name", "check the host name"),
    ("timeout", "the host did not answer: check address and firewall"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf does not admit this user from here"),
    ("too many", "the server has no free connection slot"),
    ("SSL", "add ?sslmode=require or ?sslmode=disable as the server needs it"),
)


def connect(url: str) -> Connection:
    """A connection in autocommit mode. Takes `postgresql://…`, `postgres://…`, SQLAlchemy's `postgresql+driver://…`, or
    libpq's `host=… dbname=…`. The driver that a URL names is the application's: queryproof always connects by psycopg2.

    Raises ServerError with cause and remedy; a password never appears in the message.
    """
    if not url.strip():
        raise ServerError("the database URL is empty; it should read postgresql://user:password@host:5432/database")
    try:
        connection = psycopg2.connect(
            make_dsn(
                _libpq(url),
                application_name=APPLICATION_NAME,
                connect_timeout=CONNECT_TIMEOUT_S,
                client_encoding=ENCODING,
                **_LINE,
            )
        )
    except psycopg2.ProgrammingError as error:
        if option := _UNKNOWN.search(str(error)):
            raise ServerError(
                f"the database URL has an option that only its driver knows: {option[1]}. Remedy: leave it out; queryproof "
                "connects by libpq, whose options such as sslmode=require it takes"
            ) from None
        raise ServerError(
            "this is not a database URL; it should read postgresql://user:password@host:5432/database"
        ) from None
    except psycopg2.OperationalError as error:
        cause = _cause(str(error))
        remedy = next((text for sign, text in _REMEDIES if sign.lower() in str(error).lower()), "check the URL")
        raise ServerError(f"the database {masked(url)} cannot be reached: {cause}. Remedy: {remedy}") from None
    except UnicodeError:
        raise ServerError("the database URL holds characters that PostgreSQL does not accept") from None
    connection.autocommit = True
    return connection


def _cause(message: str) -> str:
    """libpq's last word: without the address, which the URL tells, and without its own questions, which begin with a tab."""
    lines = [line for line in message.splitlines() if line.strip() and not line.startswith("\t")]
    last = lines[-1].strip() if lines else "no reason was given"
    return (last.partition(" failed: ")[2] or last).removeprefix("FATAL:").strip()


def masked(url: str) -> str:
    """The URL with its password as ***, and of its options only those that say where it leads; "given" for what is no URL.

    Where an unescaped `@` leaves open where the password ends, nothing is shown: the rest would be a part of it.
    """
    if "://" not in url or _open_password(url):
        return "given"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "given"
    shown = parsed.set(query={name: value for name, value in parsed.query.items() if name in _SHOWN})
    return shown.render_as_string(hide_password=True).replace("+psycopg2", "")


def _open_password(url: str) -> bool:
    """Whether another `@` follows the one that ends user and password."""
    authority, _, query = url.partition("://")[2].partition("@")[2].partition("?")
    return "@" in authority or ("@" in query and not all("=" in part for part in query.split("&")))


def _libpq(url: str) -> str:
    if "://" not in url:
        return url
    if _open_password(url):
        raise ServerError(
            "the user or the password in the database URL holds an @ or another sign with a meaning in URLs. "
            "Remedy: write @ as %40, / as %2F, ? as %3F, : as %3A, # as %23, % as %25, or use PGPASSWORD or ~/.pgpass"
        )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ServerError(
            "this is not a database URL; it should read postgresql://user:password@host:5432/database"
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ServerError(f"queryproof analyses PostgreSQL, and this URL is for {parsed.get_backend_name()}")
    if parsed.get_driver_name() == "asyncpg" and parsed.query.get("ssl") in _SSL_MODES:
        parsed = parsed.difference_update_query(["ssl"]).update_query_dict({"sslmode": parsed.query["ssl"]})
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)
