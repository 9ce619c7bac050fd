"""The processes of a server: listen, work, and finish what was accepted before ending."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from multiprocessing.process import BaseProcess

import uvicorn
from uvicorn.supervisors import Multiprocess

from stridednet.deploy.serve.connections import BoundedConnection
from stridednet.deploy.serve.metrics import FOLDER_VARIABLE, MeasuredApp
from stridednet.deploy.serve.runs import OpenedRun
from stridednet.deploy.serve.settings import ServerSettings
from stridednet.errors import InputError
from stridednet.machine import usable_cores

_FINISHING = 8  # seconds for accepted requests after SIGTERM
_BACKLOG = 2048  # connections that the operating system accepts ahead


def serve(settings: ServerSettings, host: str, port: int, on_start: Callable[[int], None] = lambda _: None) -> None:
    """Serve runs until SIGTERM or Ctrl-C; requests that were accepted are answered first, for up to 8 s.

    Args:
        settings: The runs and the limits.
        host: The address to listen on.
        port: The port; 0 for a free one.
        on_start: Called with the port when the runs are loaded and connections are accepted.

    Raises:
        StridedNetError: A run cannot be opened, or the address cannot be used.
    """
    threads = max(1, usable_cores() // settings.workers)
    opened = _loaded(settings, threads)  # by workers too, but here an error is reported once
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(host, port))
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.getsignal(number))
        port = listener.getsockname()[1]
        if settings.workers == 1:
            server = uvicorn.Server(_config(partial(_application, settings, opened, threads), settings))
            for number in (
                signal.SIGTERM,
                signal.SIGINT,
            ):  # from now on, and when uvicorn raises them again
                signal.signal(number, server.handle_exit)
            on_start(port)
            server.run([listener])
            return
        del opened
        os.environ[FOLDER_VARIABLE] = stack.enter_context(tempfile.TemporaryDirectory(prefix="stridednet-metrics-"))
        stack.callback(os.environ.pop, FOLDER_VARIABLE)
        supervisor = _Supervisor(_config(partial(_application, settings, None, threads), settings), [listener])
        on_start(port)
        supervisor.run()


class _Supervisor(Multiprocess):
    """uvicorn's process above the workers."""

    def terminate_all(self) -> None:
        """Tell the workers to end; when they stop listening, no connection is made that nobody accepts."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm, which delays answers by 40 ms, off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would allow two servers on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise InputError(f"cannot listen on {host}, port {port}: {reason}") from None
    return listener


def _config(application: Callable[[], MeasuredApp], settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        factory=True,
        interface="asgi3",
        http=BoundedConnection,
        lifespan="on",
        workers=settings.workers,
        log_config=None,  # warnings and errors go to standard error
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_FINISHING,
    )


def _application(settings: ServerSettings, opened: Mapping[str, OpenedRun] | None, threads: int) -> MeasuredApp:
    """Return the application of this process; a worker loads the runs itself, and ends with the process above it."""
    from stridednet.deploy.serve.app import build_app

    if opened is None:
        _end_with(multiprocessing.parent_process())
        opened = _loaded(settings, threads)
    return build_app(opened, settings.limits, threads)


def _loaded(settings: ServerSettings, threads: int) -> dict[str, OpenedRun]:
    return {name: OpenedRun.load(folder, threads) for name, folder in settings.runs.items()}


def _end_with(parent: BaseProcess | None) -> None:
    def wait() -> None:
        if parent is not None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
