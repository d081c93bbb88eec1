"""WSGI middleware: each request is a scope."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any

from .middleware import is_html, is_whole, masked, panel, request_scope, server_timing, with_panel
from .scope import scope

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class WSGIMiddleware:
    """Counts the statements of each request: `app.wsgi_app = queryproof.WSGIMiddleware(app.wsgi_app)`.

    server_timing: add the header Server-Timing with the number of queries and their time. It goes out before the body: that of a
    stream says that it counts until the body began.
    panel: append a list of the statements, without literals, to HTML pages; for development only.
    """

    def __init__(self, app: Application, *, server_timing: bool = True, panel: bool = False) -> None:
        self.app = app
        self.server_timing = server_timing
        self.panel = panel

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request. The scope lasts until the body has been sent: a stream's statements belong to it too."""
        method = str(environ.get("REQUEST_METHOD", ""))
        found = request_scope(method, lambda: _route(environ), self.panel)
        context = copy_context()
        response = _Response(self, found, start_response, method == "HEAD")
        context.run(found.__enter__)
        body = _Body(context.run(self.app, environ, response.start), context.run)
        if self.panel:
            # The application need not call start_response before its first part is asked for.
            body.begin()
            if response.waits:
                return response.whole(body)
        return body


class _Response:
    def __init__(self, middleware: WSGIMiddleware, found: scope, start: StartResponse, head: bool) -> None:
        self._middleware = middleware
        self._found = found
        self._start = start
        self._head = head
        self._held: tuple[str, Headers] | None = None

    @property
    def waits(self) -> bool:
        """Whether the response waits for its panel."""
        return self._held is not None

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        """The application's start_response."""
        headers = list(headers)
        wanted = self._middleware.panel and not self._head and exc_info is None
        if wanted and status.startswith("200") and is_html(headers):
            self._held = (status, headers)
            # What is written through the old `write` callable comes before the body.
            return self._refuse
        self._held = None
        headers += self._timing(is_whole(status, headers))
        return self._start(status, headers, exc_info) if exc_info else self._start(status, headers)

    def whole(self, body: Iterable[bytes]) -> list[bytes]:
        """The body in one piece, with the panel."""
        assert self._held is not None
        page = with_panel(b"".join(body), panel(self._found))
        status, headers = self._held
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        self._start(status, [*headers, ("Content-Length", str(len(page))), *self._timing(whole=True)])
        return [page]

    def _timing(self, whole: bool) -> Headers:
        return [("Server-Timing", server_timing(self._found, whole=whole))] if self._middleware.server_timing else []

    def _refuse(self, data: bytes) -> None:
        raise RuntimeError("queryproof's panel does not support start_response's write(): switch the panel off")


class _Body:
    """The application's body, iterated and closed inside the request's scope."""

    def __init__(self, body: Iterable[bytes], run: Callable[..., Any]) -> None:
        self._body: Iterable[bytes] = body
        self._run = run
        self._iterator: Iterator[bytes] | None = None
        self._first: list[bytes] = []

    def begin(self) -> None:
        """Ask for the first part."""
        self._iterator = self._run(iter, self._body)
        self._first = self._run(_parts, self._iterator)

    def __iter__(self) -> Iterator[bytes]:
        if self._iterator is None:
            self.begin()
        try:
            while self._first:
                yield self._first.pop()
                self._first = self._run(_parts, self._iterator)
        finally:
            self.close()

    def close(self) -> None:
        """Called by the server, even when it has not iterated to the end."""
        body, self._body = self._body, ()
        close = getattr(body, "close", None)
        if close is not None:
            self._run(close)


def _parts(iterator: Iterator[bytes]) -> list[bytes]:
    """The next part, or none."""
    for part in iterator:
        return [part]
    return []


def _route(environ: dict[str, Any]) -> str:
    """Flask's rule where it is at work, else the path without what may be values."""
    flask = sys.modules.get("flask")
    if flask is not None and flask.has_request_context() and flask.request.url_rule is not None:
        return str(flask.request.url_rule.rule)
    return masked(str(environ.get("PATH_INFO", "")))
