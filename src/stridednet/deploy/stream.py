"""Pictures -> probabilities, in order and in bounded memory: threads decode ahead while batches are computed."""

import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stridednet.data.decode import Pixels, UnusablePictureError, resize
from stridednet.data.samples import Ranges
from stridednet.deploy.run_model import RunModel
from stridednet.deploy.sources import Source
from stridednet.machine import usable_cores
from stridednet.settings import ResizeRule

_AHEAD = 4  # chunks per thread that are decoded or being decoded
_PATIENCE = 0.1  # seconds until the first pictures of a chunk are computed without the others

_FAREWELL = 1.0  # seconds in which threads can end what they are decoding

_Decoded = tuple[Source, Pixels | str]  # a picture of the model's size, or the reason why there is none


class Answer(NamedTuple):
    """What came of a picture: its image and probabilities, or the reason why it was skipped.

    Args:
        source: The picture.
        image: ``(size, size, 3)``, RGB, as the model takes it; None if it was skipped.
        probabilities: ``(classes,)``; None if it was skipped.
        problem: The reason; empty if it was not skipped.
    """

    source: Source
    image: Pixels | None
    probabilities: NDArray[np.float32] | None
    problem: str = ""


def answers(model: RunModel, chunks: Iterable[Sequence[Source]]) -> Generator[list[Answer]]:
    """Yield the answers for pictures, in order, as soon as they are computed.

    A chunk is decoded by one thread and computed as one batch. If that takes longer, as where a picture is a pipe
    without a writer, those of its pictures that are decoded are computed and yielded first. Close the generator to end
    the threads.

    Args:
        model: Of a run.
        chunks: Pictures. They are read by a thread, so that reading may wait, for example for standard input.

    Raises:
        StridedNetError: As ``chunks`` and the model raise them.
    """
    threads = usable_cores()
    undecoded: queue.SimpleQueue[_Chunk | None] = queue.SimpleQueue()
    waiting: queue.Queue[_Chunk | Exception | None] = queue.Queue(_AHEAD * threads)
    ended = threading.Event()

    def put(item: _Chunk | Exception | None) -> None:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=_PATIENCE)
                break
            except queue.Full:
                continue

    def feed() -> None:
        try:
            for sources in chunks:
                if ended.is_set():
                    return
                if sources:
                    chunk = _Chunk(sources)
                    put(chunk)
                    undecoded.put(chunk)
            put(None)
        except Exception as error:  # noqa: BLE001 -- raised again where the answers are read
            put(error)

    def decode() -> None:
        while (chunk := undecoded.get()) is not None and not ended.is_set():
            chunk.decode(model.size, model.ranges, model.rule, ended)

    # Threads of a ThreadPoolExecutor would keep an interrupted process alive while they wait for a pipe.
    feeder, *decoders = (threading.Thread(target=work, daemon=True) for work in [feed] + [decode] * threads)
    for thread in (feeder, *decoders):
        thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, Exception):
                raise item
            for decoded in item.ready():
                yield _answered(model, decoded)
    finally:
        ended.set()
        for _ in range(threads):
            undecoded.put(None)
        # A daemon thread that is inside OpenCV when the process ends would abort the process.
        deadline = time.monotonic() + _FAREWELL
        for thread in decoders:
            thread.join(max(0.0, deadline - time.monotonic()))


class _Chunk:
    """Pictures that are decoded by one thread, and read by another one meanwhile."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._decoded: list[_Decoded] = []
        self._error: Exception | None = None
        self._ended = threading.Event()

    def decode(self, size: int, ranges: Ranges, rule: ResizeRule, ended: threading.Event) -> None:
        """Decode and resize the pictures, as in training; a picture that cannot be used gets the reason.

        Args:
            size: Height and width of the result, in pixels.
            ranges: Which samples of more than 8 bits become 0 and 255.
            rule: How a picture becomes a square.
            ended: When it is set, the other pictures are not needed.
        """
        try:
            for source in self._sources:
                if ended.is_set():
                    break
                try:
                    found: Pixels | str = resize(source.decoded(size, ranges), size, rule)
                except UnusablePictureError as error:
                    found = str(error)
                self._decoded.append((source, found))
        except Exception as error:  # noqa: BLE001 -- raised again where the pictures are read
            self._error = error
        finally:
            self._ended.set()

    def ready(self) -> Iterator[list[_Decoded]]:
        """Yield all pictures at once, or those that are decoded after each tenth of a second."""
        taken = 0
        while taken < len(self._sources):
            self._ended.wait(_PATIENCE)
            if self._error is not None:
                raise self._error
            decoded = self._decoded[taken:]
            taken += len(decoded)
            if decoded:
                yield decoded


def _answered(model: RunModel, decoded: Sequence[_Decoded]) -> list[Answer]:
    images = [image for _, image in decoded if not isinstance(image, str)]
    rows = iter(model.predict(np.stack(images)) if images else ())
    return [
        Answer(source, None, None, found) if isinstance(found, str) else Answer(source, found, next(rows))
        for source, found in decoded
    ]
