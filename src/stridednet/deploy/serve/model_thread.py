"""The thread that computes a model: whatever is waiting when it is free becomes one batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from stridednet.deploy.serve.engine import Compute, Pixels, Probabilities
from stridednet.deploy.serve.refusal import busy

LARGEST_BATCH = 64  # images: more would not be quicker per image, and need more memory


class Batch(NamedTuple):
    """A batch that was computed.

    Args:
        images: Number of images.
        waits: Seconds that each request waited for the thread.
        seconds: How long the batch was computed.
    """

    images: int
    waits: Sequence[float]
    seconds: float


class _Job(NamedTuple):
    images: Pixels
    result: "Future[Probabilities]"
    since: float


class ModelThread:
    """Computes images in batches without waiting for more: a lone image is computed at once.

    While a batch is computed, images gather and become the next one, so that batches grow with the load.
    """

    def __init__(self, compute: Compute, capacity: int, on_batch: Callable[[Batch], None] = lambda _: None) -> None:
        """Start the thread.

        Args:
            compute: Images ``(n, size, size, 3)`` to probabilities ``(n, classes)``.
            capacity: Number of images that may wait; one request may always.
            on_batch: Called by the thread after each batch.
        """
        self._compute = compute
        self._capacity = capacity
        self._on_batch = on_batch
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of images that wait."""
        return self._waiting

    @property
    def is_ready(self) -> bool:
        """Whether an image would be computed: the thread runs, and the queue has space."""
        return self._thread.is_alive() and not self._closed and self._waiting < self._capacity

    def submit(self, images: Pixels) -> "Future[Probabilities]":
        """Queue the images of one request, at most `LARGEST_BATCH`; all of them are computed in one batch.

        Cancel the result if it is not needed any more; images that still wait are then not computed.

        Args:
            images: ``(n, size, size, 3)``, RGB.

        Returns:
            Their probabilities, ``(n, classes)``, when they are computed.

        Raises:
            RefusedError: Too many images wait already.
        """
        job = _Job(images, Future(), time.perf_counter())
        with self._changed:
            if self._closed or (self._waiting and self._waiting + len(images) > self._capacity):
                raise busy(f"{self._waiting} pictures are waiting already")
            self._jobs.append(job)
            self._waiting += len(images)
            self._changed.notify()
        return job.result

    def close(self) -> None:
        """Compute what is waiting, accept nothing else, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._taken():
            self._answer([job for job in jobs if job.result.set_running_or_notify_cancel()])

    def _taken(self) -> list[_Job]:
        """Wait for jobs and take all that fit into a batch; none after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            taken: list[_Job] = []
            images = 0
            while self._jobs and (not taken or images + len(self._jobs[0].images) <= LARGEST_BATCH):
                taken.append(self._jobs.popleft())
                images += len(taken[-1].images)
            self._waiting -= images
            return taken

    def _answer(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        started = time.perf_counter()
        try:
            probabilities = self._compute(np.concatenate([job.images for job in jobs]))
        except Exception as error:  # noqa: BLE001 -- raised again where the result is read
            for job in jobs:
                job.result.set_exception(error)
            return
        seconds = time.perf_counter() - started
        start = 0
        for job in jobs:
            job.result.set_result(probabilities[start : start + len(job.images)])
            start += len(job.images)
        self._on_batch(Batch(start, [started - job.since for job in jobs], seconds))
