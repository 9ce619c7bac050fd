"""The connections of a server, bounded in number and in the time that a client may take to ask and to listen."""

import asyncio
import json
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from stridednet.deploy.serve.refusal import BAD_REQUEST, TIMEOUT, RefusedError, busy
from stridednet.deploy.serve.settings import Limits

_LAST_REQUESTS = 0.5  # seconds after SIGTERM in which an open connection may still ask: its request may be on the way


class BoundedConnection(H11Protocol):
    """uvicorn's HTTP/1.1 with limits, which are the entry ``limits`` of the lifespan's state.

    uvicorn has no limit for the time in which a header must arrive, or in which an answer must be read, so that clients
    that trickle or do not read would occupy connections forever; and it resets idle connections when it is told to end,
    although a request may have been sent already.
    """

    @property
    def _limits(self) -> Limits:
        limits: Limits = self.app_state["limits"]
        return limits

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a header for a limited time."""
        super().connection_made(transport)
        self._header_timer = _Timer()
        self._answer_timer = _Timer()
        transport.set_write_buffer_limits(0)  # `pause_writing` is called as soon as the client does not read
        self._excess = len(self.connections) > self._limits.connections
        if self.app_state.get("ending"):  # it was accepted just before
            self._header_timer.start(_LAST_REQUESTS, super().shutdown)
        else:
            self._header_timer.start(self._limits.header, self._header_is_late)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._excess:
            self._refuse(busy(f"there are {self._limits.connections} connections already"))
        else:
            super().data_received(data)

    def handle_events(self) -> None:
        """Handle what was received; a header that is not complete has a limited time from its first byte on."""
        super().handle_events()
        if not self._is_idle:
            self._header_timer.stop()
            if self.app_state.get("ending"):
                self._close_after_answer()
        elif not self._header_timer.is_running and self.timeout_keep_alive_task is None:
            self._header_timer.start(self._limits.header, self._header_is_late)

    def shutdown(self) -> None:
        """Answer the current request and, for a moment, one that may be on the way; then close."""
        self.app_state["ending"] = True
        if self._is_idle:
            self._unset_keepalive_if_required()
            self._header_timer.start(_LAST_REQUESTS, super().shutdown)
        else:
            self._close_after_answer()

    def pause_writing(self) -> None:
        """Give the client a limited time to read."""
        super().pause_writing()
        self._answer_timer.start(self._limits.answer, self.transport.abort)

    def resume_writing(self) -> None:
        """Continue: the client has read everything."""
        super().resume_writing()
        self._answer_timer.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._header_timer.stop()
        self._answer_timer.stop()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the format of all refusals."""
        self._refuse(RefusedError(BAD_REQUEST, msg))

    def _close_after_answer(self) -> None:
        self.cycle.keep_alive = False
        if CLOSE_HEADER not in self.cycle.default_headers:
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def _header_is_late(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(RefusedError(TIMEOUT, f"the header did not arrive within {self._limits.header:g} s"))
        else:
            self.transport.close()

    def _refuse(self, error: RefusedError) -> None:
        """Answer without the application, and close."""
        if self.cycle is not None and not self.cycle.response_complete:  # its body is not HTTP: it has no other answer
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        content = json.dumps({"error": error.reason}).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Connection": "close",
            **error.headers,
        }
        lines = [f"HTTP/1.1 {error.status} {STATUS_PHRASES[error.status].decode()}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        self.transport.close()


class _Timer:
    """Calls a function later, unless it is stopped."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, then: Callable[[], None]) -> None:
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, then)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
