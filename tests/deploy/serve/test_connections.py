"""Clients that are slow, silent, too many, or do not speak HTTP, and the last requests of a server that ends."""

import json
import logging
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from servers import wait_until
from starlette.types import Message, Receive, Scope, Send

from stridednet.deploy.serve.connections import BoundedConnection
from stridednet.deploy.serve.settings import Limits

LIMITS = Limits(header=0.3, answer=0.3, connections=3)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = 50 * 2**20  # bytes of the answer to /large: more than the buffers of the operating system hold


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the length of the body."""
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["limits"] = LIMITS
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    message: Message = {"more_body": True}
    length = 0
    while message.get("more_body", False):
        message = await receive()
        length += len(message.get("body", b""))
    body = bytes(LARGE) if scope["path"] == "/large" else str(length).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


class _Running:
    """A server in a thread."""

    def __init__(self) -> None:
        config = uvicorn.Config(_app, http=BoundedConnection, lifespan="on", log_config=None, access_log=False)
        self.server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.thread = threading.Thread(target=self.server.run, args=([self._listener],))
        self.thread.start()
        wait_until(lambda: self.server.started, "no server")

    def connect(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(self.address, timeout=30)
        connection.sendall(sent)
        return connection

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)


@pytest.fixture
def running() -> Iterator[_Running]:
    running = _Running()
    yield running
    running.server.should_exit = True
    running.thread.join()


def _rest(connection: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    with connection.makefile("rb") as file:
        return file.read()


def _answer(connection: socket.socket) -> bytes:
    """Return an answer to `GET`: its body is "0"."""
    received = b""
    while not received.endswith(b"\r\n\r\n0"):
        received += connection.recv(1000)
    return received


def _refusal(connection: socket.socket) -> tuple[int, str]:
    head, _, body = _rest(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def test_a_header_that_never_ends(running: _Running) -> None:
    late = (408, "the header did not arrive within 0.3 s")
    with running.connect(GET[:-2] + b"X: ") as first, running.connect(GET) as kept:
        _answer(kept)
        kept.sendall(GET[:5])  # the next request on the same connection
        assert (_refusal(first), _refusal(kept)) == (late, late)


def test_a_connection_without_a_request(running: _Running) -> None:
    with running.connect() as silent:
        assert _rest(silent) == b""


def test_an_answer_that_is_not_read(running: _Running) -> None:
    with running.connect(GET.replace(b"/", b"/large", 1)):
        wait_until(lambda: running.connections == 1, "no connection")
        wait_until(lambda: running.connections == 0, "it is kept")


def test_too_many_connections(running: _Running) -> None:
    several = [running.connect() for _ in range(LIMITS.connections)]
    wait_until(lambda: running.connections == LIMITS.connections, "no connections")
    with running.connect(GET) as another:
        answer = _rest(another)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].startswith("there are 3 connections already")
    for one in several:
        one.sendall(GET)
        assert _answer(one).startswith(b"HTTP/1.1 200")
        one.close()


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"]
)
def test_what_is_not_http(running: _Running, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), running.connect(sent) as connection:
        assert _refusal(connection) == (400, "Invalid HTTP request received.")
    assert caplog.records == []


def test_a_request_on_the_way_is_answered_after_the_end_was_asked_for() -> None:
    running = _Running()
    with running.connect(GET) as used, running.connect() as new:
        _answer(used)
        running.server.should_exit = True
        wait_until(lambda: not running.server.servers[0].is_serving(), "it still listens")
        for connection in (used, new):
            connection.sendall(GET)
            answer = _rest(connection)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
        running.thread.join()
