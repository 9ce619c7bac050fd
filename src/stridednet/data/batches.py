"""Seeded streams of training batches, prepared in a background thread while the network computes."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from stridednet.data.augment import Augmentation
from stridednet.data.color import ColorJitter
from stridednet.data.mixing import Mixing

_AHEAD = 8  # batches


@dataclass(frozen=True)
class Batch:
    """Images ``(batch, height, width, channels)``, uint8, and targets ``(batch, classes)``, float32, summing to 1."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]


@dataclass(frozen=True)
class BatchStream:
    """The training batches of each epoch.

    The order of the images and their augmentation depend only on the seed and the epoch number, so that a resumed
    training receives the same batches as an uninterrupted one. An epoch has ``len(rows) // batch_size`` steps; the
    remaining images are dropped, different ones in each epoch.

    Args:
        images: Images ``(n, height, width, channels)``, uint8; may be memory-mapped. With random crops, they may be
            larger than the batches' images.
        rows: Indices of the images to train on, ``(m,)``.
        targets: One-hot targets of those images, ``(m, classes)``, float32.
        batch_size: Images per step.
        augmentation: Random warps.
        seed: Random seed for shuffling and augmentation.
        color_jitter: Random changes of color.
        mixing: Random blends of images.
        image_size: Height and width of the batches' images, in pixels; None for those of ``images``.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.intp]
    targets: NDArray[np.float32]
    batch_size: int
    augmentation: Augmentation
    seed: int
    color_jitter: ColorJitter = field(default_factory=ColorJitter)
    mixing: Mixing = field(default_factory=Mixing)
    image_size: int | None = None

    @property
    def images_per_step(self) -> int:
        """Images per batch: ``batch_size``, or the number of images if that is smaller."""
        return min(self.batch_size, len(self.rows))

    @property
    def steps_per_epoch(self) -> int:
        """Number of complete batches per epoch."""
        return len(self.rows) // self.images_per_step

    def epoch(self, number: int) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch; the first epoch has the number 1."""
        return self.epochs(range(number, number + 1))

    def epochs(self, numbers: range) -> Generator[Batch, None, None]:
        """Yield the batches of consecutive epochs, ``steps_per_epoch`` of each.

        The first batches of the next epoch are prepared while the caller does something else between two epochs.
        """
        return _prepared_ahead(lambda: chain.from_iterable(map(self._batches, numbers)))

    def _batches(self, number: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.rows))
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.images_per_step : (step + 1) * self.images_per_step]
            warped = self.augmentation(self.images[self.rows[chosen]], rng, self.image_size)
            yield Batch(*self.mixing(self.color_jitter(warped, rng), self.targets[chosen], rng))


def one_hot(labels: list[str], classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Return one-hot targets ``(n, classes)`` for n labels."""
    column = {label: index for index, label in enumerate(classes)}
    return np.eye(len(classes), dtype=np.float32)[[column[label] for label in labels]]


def _prepared_ahead(batches: Callable[[], Iterator[Batch]]) -> Generator[Batch, None, None]:
    """Run a generator a few items ahead in a thread; its errors are raised here. Closing this one ends the thread."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    closed = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def prepare() -> None:
        try:
            for batch in batches():
                if not put(batch):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again in the consuming thread
            put(error)

    thread = threading.Thread(target=prepare, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()


def in_order(
    images: NDArray[np.uint8], rows: NDArray[np.intp], targets: NDArray[np.float32], size: int = 64
) -> Iterator[Batch]:
    """Yield the unmodified images in the order of ``rows``, ``size`` per batch; the last batch may be smaller."""
    for start in range(0, len(rows), size):
        yield Batch(images[rows[start : start + size]], targets[start : start + size])
