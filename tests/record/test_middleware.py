"""Requests are scopes: with real servers over loopback, and with the panel."""

import contextlib
import socket
import sys
import threading
import time
import wsgiref.simple_server
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastapi
import flask
import httpx
import pytest
import uvicorn
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import queryproof
from queryproof import record
from queryproof.analyzer.record import middleware, recorder
from queryproof.analyzer.sources.journal import read_recording

PAGE = "<html><body><h1>Shop</h1></body></html>"


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real uvicorn on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def api(path: Path, **options: Any) -> fastapi.FastAPI:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}/a.db")
    app = fastapi.FastAPI()
    app.add_middleware(queryproof.ASGIMiddleware, **options)

    @app.get("/items/{name}")
    async def item(name: str) -> HTMLResponse:
        async with AsyncSession(engine) as session:
            await session.scalars(select(Item).where(Item.name == name))
            await session.execute(text(f"SELECT '{name}' || '<script>'"))
        return HTMLResponse(PAGE)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> Any:
            async with AsyncSession(engine) as session:
                for n in range(3):
                    await session.execute(text(f"SELECT {n}"))
                    yield f"<p>{n}</p>"

        return StreamingResponse(parts(), media_type="text/html")

    @app.delete("/data", status_code=204)
    async def nothing() -> None:
        async with AsyncSession(engine) as session:
            await session.execute(text("SELECT 1"))

    @app.get("/data")
    async def data() -> dict[str, int]:
        return {"a": 1}

    return app


@pytest.fixture
def place(tmp_path: Path) -> Path:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    Base.metadata.create_all(engine)
    engine.dispose()
    return tmp_path


def test_fastapi_under_uvicorn(place: Path) -> None:
    with record(None, place / "j"), serving(api(place)) as url:
        answers = [httpx.get(f"{url}/items/{name}") for name in ("secretname", "othername")]
        httpx.get(f"{url}/data")
        stream = httpx.get(f"{url}/stream")
        nothing = httpx.delete(f"{url}/data")
    assert stream.headers["server-timing"] == 'db;dur=0.0;desc="0 queries until the body began"'
    assert nothing.headers["server-timing"].endswith(';desc="1 query"')
    assert [answer.headers["server-timing"].split(";")[0::2] for answer in answers] == [["db", 'desc="2 queries"']] * 2
    assert answers[0].text == PAGE
    recording = read_recording(place / "j")
    scopes = {query.scope for query in recording.queries if query.scope}
    assert len(scopes) == 4
    names = {"GET /items/{name}", "GET /stream", "DELETE /data"}
    assert {(scope.kind, scope.name) for scope in scopes} == {("request", name) for name in names}
    assert all(event.scope in scopes for event in recording.events if event.task and event.scope)


def test_the_panel_shows_statements_without_literals_and_only_on_html(place: Path) -> None:
    with record(None, place / "j"), serving(api(place, panel=True)) as url:
        page = httpx.get(f"{url}/items/secretname").text
        data = httpx.get(f"{url}/data")
        head = httpx.head(f"{url}/items/secretname")
        stream = httpx.get(f"{url}/stream").text
    assert page.endswith("</details></body></html>")
    assert "queryproof: 2 queries" in page
    assert "from items" in page
    assert "test_middleware.py:" in page
    assert "secretname" not in page
    assert "<script>" not in page
    assert data.json() == {"a": 1}
    assert "queryproof" not in head.text
    assert stream.startswith("<p>0</p>")
    assert "3 queries" in stream


def test_without_a_recorder_the_middleware_counts_in_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(middleware, "_counting", started)
    assert not recorder.any_installed()
    try:
        with serving(api(place)) as url:
            assert 'desc="2 queries"' in httpx.get(f"{url}/items/x").headers["server-timing"]
    finally:
        for one in started:
            one.remove()
    assert len(started) == 1


@contextlib.contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return

    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shop(path: Path) -> flask.Flask:
    engine = create_engine(f"sqlite:///{path}/a.db")
    app = flask.Flask("shop")

    @app.get("/items/<name>")
    def item(name: str) -> str:
        with Session(engine) as session:
            session.scalars(select(Item).where(Item.name == name)).all()
        return PAGE

    @app.get("/stream")
    def stream() -> flask.Response:
        def parts() -> Iterator[str]:
            with Session(engine) as session:
                for n in range(3):
                    session.execute(text(f"SELECT {n}"))
                    yield f"{n}\n"

        return flask.Response(parts(), mimetype=flask.request.args.get("as", "text/plain"))

    return app


@pytest.mark.parametrize("panel", [False, True])
def test_flask(place: Path, panel: bool) -> None:
    app = shop(place)
    app.wsgi_app = queryproof.WSGIMiddleware(app.wsgi_app, panel=panel)  # type: ignore[method-assign] # as Flask says
    with record(None, place / "j"), serving_wsgi(app) as url:
        answer = httpx.get(f"{url}/items/secretname")
        stream = httpx.get(f"{url}/stream")
        page = httpx.get(f"{url}/stream?as=text/html")
        missing = httpx.get(f"{url}/absent")
    assert 'desc="1 query"' in answer.headers["server-timing"]
    assert ("queryproof: 1 query" in answer.text) is panel
    assert "secretname" not in answer.text
    assert stream.text == "0\n1\n2\n"
    assert stream.headers["server-timing"] == 'db;dur=0.0;desc="0 queries until the body began"'
    assert page.headers["server-timing"].endswith(
        'desc="3 queries"' if panel else 'desc="0 queries until the body began"'
    )
    assert ("queryproof: 3 queries" in page.text) is panel
    assert missing.status_code == 404
    names = [query.scope.name for query in read_recording(place / "j").queries if query.scope]
    assert names == ["GET /items/<name>"] + ["GET /stream"] * 6


async def test_a_page_that_the_server_sends_from_its_file_is_passed_on_without_a_panel(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.pathsend", "path": "/page.html"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    middle = queryproof.ASGIMiddleware(app, panel=True)
    with record(None, tmp_path):
        await middle({"type": "http", "method": "GET", "path": "/"}, receive, send)
    assert sent == ["http.response.start", "http.response.pathsend"]


def test_a_page_that_ends_in_an_error_before_its_body_is_begun_once(tmp_path: Path) -> None:
    def app(environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/html")])
        try:
            raise ValueError("late")
        except ValueError:
            start("500 Broken", [("Content-Type", "text/html")], sys.exc_info())
        return [b"broken"]

    begun: list[str] = []
    middle = queryproof.WSGIMiddleware(app, panel=True)
    with record(None, tmp_path):
        body = b"".join(middle({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, *_: begun.append(status)))
    assert (body, begun) == (b"broken", ["500 Broken"])


def test_paths_lose_their_values() -> None:
    assert middleware.masked("/users/17/posts") == "/users/{}/posts"
    assert middleware.masked("/u/9f86d081-884c-7d65/x@y.z/") == "/u/{}/{}/"
    assert middleware.masked("/names/smith/edit", ["smith"]) == "/names/{}/edit"
