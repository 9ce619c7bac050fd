"""Pictures -> probabilities, in order and in bounded memory: threads decode ahead while batches are computed."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stridednet.data.decode import Pixels, UnusablePictureError, read_content, read_picture, resize
from stridednet.data.samples import Ranges
from stridednet.deploy.run_model import RunModel
from stridednet.deploy.sources import Source
from stridednet.machine import usable_cores

_AHEAD = 4  # chunks per thread that are decoded or being decoded
_PATIENCE = 0.1  # seconds between looks at whether to stop


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


def answers(model: RunModel, chunks: Iterable[Sequence[Source]]) -> Iterator[list[Answer]]:
    """Yield the answers for each chunk of pictures, in order, as soon as they are computed.

    Args:
        model: Of a run.
        chunks: Pictures; each chunk is decoded by one task and computed as one batch. It is read by a thread, so that
            it may wait, for example for standard input.

    Raises:
        StridedNetError: As ``chunks`` and the model raise them.
    """
    size, ranges = model.size, model.ranges
    waiting: queue.Queue[Future[list[tuple[Source, Pixels | str]]] | Exception | None] = queue.Queue(
        _AHEAD * usable_cores()
    )
    ended = threading.Event()

    def put(item: Future[list[tuple[Source, Pixels | str]]] | Exception | None) -> None:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    def feed() -> None:
        try:
            for chunk in chunks:
                if ended.is_set():
                    return
                if chunk:
                    put(pool.submit(_decoded, chunk, size, ranges))
            put(None)
        except Exception as error:  # noqa: BLE001 -- raised again where the answers are read
            put(error)

    pool = ThreadPoolExecutor(usable_cores())
    threading.Thread(target=feed, daemon=True).start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield _answered(model, item.result())
    finally:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _decoded(chunk: Sequence[Source], size: int, ranges: Ranges) -> list[tuple[Source, Pixels | str]]:
    """Decode and resize some pictures, as in training; a picture that cannot be used gets the reason."""
    decoded: list[tuple[Source, Pixels | str]] = []
    for source in chunk:
        try:
            content = read_content(source.path) if source.content is None else source.content
            decoded.append((source, resize(read_picture(content, size, ranges), size)))
        except UnusablePictureError as error:
            decoded.append((source, str(error)))
    return decoded


def _answered(model: RunModel, decoded: Sequence[tuple[Source, Pixels | str]]) -> list[Answer]:
    images = [image for _, image in decoded if not isinstance(image, str)]
    rows = iter(model.predict(np.stack(images)) if images else ())
    return [
        Answer(source, None, None, found) if isinstance(found, str) else Answer(source, found, next(rows))
        for source, found in decoded
    ]
