"""An empty database for a clone, of the source's encoding and collation."""

from contextlib import closing
from typing import Any

import psycopg2

from ..errors import ServerError
from ..sql.identifier import quote_identifier
from .clone_file import CloneFile, LeftOut, Manifest
from .clone_superuser import literal, run, superuser
from .server import Server


def create_clone_database(server: Server, clone: CloneFile, database: str) -> list[LeftOut]:
    """An empty database of the source's encoding and collation, as near as this machine has them."""
    locale = clone.manifest.locale
    notes: list[LeftOut] = []
    with closing(superuser(server, "postgres")) as connection:
        for options, exact in _locales(clone.manifest, server.binaries.major):
            try:
                run(
                    connection,
                    f"CREATE DATABASE {quote_identifier(database)} OWNER app TEMPLATE template0"
                    f" ENCODING {literal(connection, locale.encoding)} {options(connection)}",
                )
            except psycopg2.Error:
                continue
            if not exact:
                notes.append(
                    LeftOut(
                        f"collation {locale.locale or locale.collate}",
                        "this machine does not have it: text is ordered by code points, so ranges of text are inexact",
                    )
                )
            return notes
    raise ServerError(f"no database of encoding {locale.encoding} can be created on PostgreSQL {server.version} here")


def _locales(manifest: Manifest, major: int) -> list[tuple[Any, bool]]:
    """Ways to say the collation in CREATE DATABASE, the exact ones first; each with whether it is exact."""
    locale = manifest.locale

    def libc(collate: str, ctype: str) -> Any:
        provider = "LOCALE_PROVIDER libc " if major >= 15 else ""
        return lambda c: f"{provider}LC_COLLATE {literal(c, collate)} LC_CTYPE {literal(c, ctype)}"

    def other(provider: str, option: str) -> Any:
        return lambda c: f"LOCALE_PROVIDER {provider} {option} {literal(c, locale.locale or '')} LOCALE 'C'"

    if locale.provider == "b":
        return [(other("builtin", "BUILTIN_LOCALE"), True), (libc("C", "C"), True)]
    if locale.c:
        return [(libc("C", locale.ctype), True), (libc("C", "C"), True)]
    exact = (
        [(other("icu", "ICU_LOCALE"), True)]
        if locale.provider == "i"
        else [(libc(locale.collate, locale.ctype), True), (libc(_dotted(locale.collate), _dotted(locale.ctype)), True)]
    )
    return [
        *exact,
        *((libc(name, name), False) for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8")),
        (libc("C", "C"), False),
    ]


def _dotted(name: str) -> str:
    """`en_US.utf8` and `en_US.UTF-8` are one locale to some systems and two to others."""
    return name.replace(".utf8", ".UTF-8") if ".utf8" in name else name.replace(".UTF-8", ".utf8")
