"""What the ASGI and the WSGI middleware have in common: the request's scope, its header, its panel."""

import re
import threading
from collections.abc import Callable, Iterable
from html import escape

from ..sql.fingerprint import normalize
from .scope import scope

MAX_ROWS = 100
"""Statements shown in the panel."""
MAX_TEXT = 400

_PLAIN = re.compile(r"[A-Za-z_.~-]{1,32}")
_starting = threading.Lock()


def request_scope(method: str, name: Callable[[], str], panel: bool) -> scope:
    """The scope of one request; its name is asked for when the first statement is sent, when the route is known."""
    ensure_recorder()
    found = scope(lambda: f"{method} {name()}", "request")
    if panel:
        found.statements = []
    return found


def masked(path: str, values: Iterable[str] = ()) -> str:
    """The path with every segment that is one of the values, or that may be one, replaced by `{}`."""
    known = frozenset(values)
    return "/".join(
        part if not part or (_PLAIN.fullmatch(part) and part not in known) else "{}" for part in path.split("/")
    )


def ensure_recorder() -> None:
    """Where nobody records, count in memory only, so that the header and the panel have something to say."""
    from .recorder import Recorder, any_installed

    with _starting:
        if not any_installed():
            _counting.append(Recorder(None))
            _counting[-1].install()  # type: ignore[attr-defined] # a Recorder
            _counting[-1].install_orm()  # type: ignore[attr-defined] # a Recorder


# Held here: the recorders that are installed are known by weak references only.
_counting: list[object] = []


def server_timing(found: scope, *, whole: bool) -> str:
    """Value of the header Server-Timing. whole: nothing is sent to the database any more once the header has gone out."""
    return f'db;dur={found.milliseconds:.1f};desc="{_number(found.queries)}{"" if whole else " until the body began"}"'


def is_whole(status: str, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether there is no body, or one that is made already: a body that is still being made has no length to announce."""
    return status.startswith(("204", "304")) or any(name.lower() == "content-length" for name, _ in headers)


def _number(queries: int) -> str:
    return f"{queries} {'query' if queries == 1 else 'queries'}"


def panel(found: scope) -> bytes:
    """A closed <details> element without script: statements without their literals, most time first, and lazy loads."""
    counted: dict[tuple[str, str, str], list[float]] = {}
    for text, milliseconds, place, relationship in found.statements or ():
        where = f"{place.sites[0][0]}:{place.sites[0][1]}" if place.sites else ""
        counted.setdefault((_without_literals(text), where, relationship or ""), []).append(milliseconds)
    rows = sorted(counted.items(), key=lambda item: (-sum(item[1]), item[0]))
    body = "".join(_row(*key, times) for key, times in rows[:MAX_ROWS])
    more = f"<p>{len(rows) - MAX_ROWS} more</p>" if len(rows) > MAX_ROWS else ""
    return (
        '<details id="queryproof-panel" style="font:13px/1.5 monospace;border-top:1px solid;padding:.5em;margin:0">'
        f"<summary>queryproof: {_number(found.queries)}, {found.milliseconds:.1f} ms in {escape(found.name)}</summary>"
        f'<table style="border-spacing:1em .2em"><tr><th>queries<th>ms<th>where<th>statement</tr>{body}</table>{more}'
        "</details>"
    ).encode("utf-8", "replace")


def is_html(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the body is HTML in plain bytes, so that something can be added to it."""
    found = {name.lower(): value.lower() for name, value in headers}
    return found.get("content-type", "").startswith("text/html") and "content-encoding" not in found


def with_panel(body: bytes, added: bytes) -> bytes:
    """The page with the panel before its end."""
    at = body.lower().rfind(b"</body>")
    return body + added if at < 0 else body[:at] + added + body[at:]


def _row(text: str, where: str, relationship: str, times: list[float]) -> str:
    note = f" <b>lazy: {escape(relationship)}</b>" if relationship else ""
    return f"<tr><td>{len(times)}<td>{sum(times):.1f}<td>{escape(where)}<td>{escape(text[:MAX_TEXT])}{note}</tr>"


def _without_literals(text: str) -> str:
    return normalize(text[: 10 * MAX_TEXT])
