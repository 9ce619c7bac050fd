"""What a server measures of itself, for Prometheus."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stridednet.deploy.serve.model_thread import LARGEST_BATCH, Batch
from stridednet.deploy.serve.refusal import busy

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where processes share their numbers; read by prometheus_client
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_BATCHES = (1, 2, 4, 8, 16, 32, LARGEST_BATCH)
_UNKNOWN = "unknown"  # so that addresses that strangers make up do not become labels


class Metrics:
    """Counters, gauges and histograms of one server process; with several, `text` adds them up."""

    def __init__(self) -> None:
        """Make all metrics."""
        registry = self._registry = CollectorRegistry()
        self.requests = Counter("stridednet_requests", "Answered requests.", ("route", "status"), registry=registry)
        self._request_seconds = Histogram(
            "stridednet_request_seconds", "From headers to answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self._stage_seconds = Histogram(
            "stridednet_stage_seconds",
            "Stages of a request: body (receiving it), decode (waiting included), queue (waiting for the model), "
            "compute (a batch), explain.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_images = Histogram(
            "stridednet_batch_images", "Images per batch.", ("model",), buckets=_BATCHES, registry=registry
        )
        self._depth = Gauge(
            "stridednet_queue_depth",
            "Images that wait: for a decoder, or for a model.",
            ("queue",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._waiting: dict[str, Callable[[], int]] = {}

    def watch_queue(self, name: str, waiting: Callable[[], int]) -> None:
        """Report the length of a queue, which is read when the metrics are."""
        self._waiting[name] = waiting

    def read_queues(self) -> None:
        """Update the lengths of this process's queues; the others of several processes do it once a second."""
        for name, waiting in self._waiting.items():
            self._depth.labels(name).set(waiting())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure how long a stage of a request takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage_seconds.labels(name).observe(time.perf_counter() - started)

    def batch(self, model: str, batch: Batch) -> None:
        """Record a batch."""
        self._batch_images.labels(model).observe(batch.images)
        self._stage_seconds.labels("compute").observe(batch.seconds)
        for wait in batch.waits:
            self._stage_seconds.labels("queue").observe(wait)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Record an answer."""
        self.requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self.read_queues()
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        _forget_dead_processes(Path(os.environ[FOLDER_VARIABLE]))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_dead_processes(folder: Path) -> None:
    """Remove the gauges of processes that were killed, whose pictures do not wait any more."""
    for path in folder.glob("gauge_live*.db"):
        number = int(path.stem.rpartition("_")[2])
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            mark_process_dead(number)  # type: ignore[no-untyped-call]


class MeasuredApp:
    """An ASGI application whose requests are counted and measured."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an application."""
        self._app = app
        self._metrics = metrics
        self.accepted = 0
        self.answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self.accepted += 1
        status = 500

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.answered += 1
                route = getattr(scope.get("route"), "path", _UNKNOWN)
                self._metrics.answered(route, status, time.perf_counter() - started)

        try:
            await self._app(scope, receive, noticed)
        except asyncio.CancelledError:  # by uvicorn, when its time after SIGTERM is over
            refusal = busy("the server is ending")
            await JSONResponse({"error": refusal.reason}, refusal.status, refusal.headers)(scope, receive, noticed)
