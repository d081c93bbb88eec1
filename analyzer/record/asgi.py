"""ASGI middleware: each request is a scope."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .middleware import is_html, is_whole, masked, panel, request_scope, server_timing, with_panel
from .scope import scope as Scope

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class ASGIMiddleware:
    """Counts the statements of each request: `app.add_middleware(queryproof.ASGIMiddleware)`, or `ASGIMiddleware(app)`.

    server_timing: add the header Server-Timing with the number of queries and their time. It goes out before the body: that of a
    stream says that it counts until the body began.
    panel: append a list of the statements, without literals, to HTML pages; for development only.
    """

    def __init__(self, app: Application, *, server_timing: bool = True, panel: bool = False) -> None:
        self.app = app
        self.server_timing = server_timing
        self.panel = panel

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection; what is not HTTP passes unchanged."""
        if scope.get("type") != "http":
            await self.app(scope, receive, send)
            return
        with request_scope(str(scope.get("method", "")), lambda: _route(scope), self.panel) as found:
            await self.app(scope, receive, _Response(self, found, send, scope.get("method") == "HEAD").send)


class _Response:
    """One response on its way: the start waits for the first part of the body where a panel is to be added."""

    def __init__(self, middleware: ASGIMiddleware, found: Scope, send: Send, head: bool) -> None:
        self._middleware = middleware
        self._found = found
        self._send = send
        self._panel = middleware.panel and not head
        self._start: Message | None = None
        self._streaming = False

    async def send(self, message: Message) -> None:
        """Pass one message on."""
        kind = message["type"]
        if kind == "http.response.start":
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            if self._middleware.server_timing:
                whole = is_whole(str(message["status"]), _texts(headers))
                headers.append((b"server-timing", server_timing(self._found, whole=whole).encode("latin-1")))
            message = {**message, "headers": headers}
            self._panel = self._panel and message["status"] == 200 and is_html(_texts(headers))
            if self._panel:
                self._start = message
                return
        elif kind == "http.response.body" and self._panel:
            message = await self._body(message)
        elif self._start is not None:
            # The body comes another way, as with the extension `http.response.pathsend`: nothing can be added to it.
            start, self._start, self._panel = self._start, None, False
            await self._send(start)
        await self._send(message)

    async def _body(self, message: Message) -> Message:
        more = message.get("more_body", False)
        body = bytes(message.get("body", b""))
        start, self._start = self._start, None
        if start is not None:
            if more:
                # A stream of announced length must keep it; any other may grow at its end.
                self._streaming = not any(name.lower() == b"content-length" for name, _ in start["headers"])
                self._panel = self._streaming
            else:
                body = with_panel(body, panel(self._found))
                headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                start = {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
            await self._send(start)
        elif not more and self._streaming:
            body += panel(self._found)
        return {**message, "body": body}


def _route(scope: MutableMapping[str, Any]) -> str:
    """The route's own pattern where the framework tells it, else the path without the values it has found there."""
    pattern = getattr(scope.get("route"), "path", None)
    values = scope.get("path_params") or {}
    return pattern if isinstance(pattern, str) else masked(str(scope.get("path", "")), map(str, values.values()))


def _texts(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
