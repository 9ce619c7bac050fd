"""Arrays -> a seeded stream of batches, prepared in the background while the network computes."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stridednet.data.augment import Augmentation
from stridednet.data.color import ColorJitter
from stridednet.data.mixing import Mixing

_AHEAD = 8  # batches


@dataclass(frozen=True)
class Batch:
    """Images ``(n, height, width, channels)``, uint8, and targets ``(n, classes)``, float32, that add up to 1."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]


@dataclass(frozen=True)
class BatchStream:
    """Training batches of any epoch.

    The order of the images and their warps depend on the seed and the number of the epoch, and on nothing else, so
    that a resumed training gets the same batches as one that was never interrupted. An epoch has
    ``len(rows) // batch_size`` steps; the images left over are others in each epoch.

    Args:
        images: ``(n, height, width, channels)``, uint8; may live on disk.
        rows: Which of them to train on, ``(m,)``.
        targets: One-hot, ``(m, classes)``, float32.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.intp]
    targets: NDArray[np.float32]
    batch_size: int
    augmentation: Augmentation
    seed: int
    color_jitter: ColorJitter = field(default_factory=ColorJitter)
    mixing: Mixing = field(default_factory=Mixing)

    @property
    def images_per_step(self) -> int:
        """The size of each batch; with fewer images than a batch holds, all of them."""
        return min(self.batch_size, len(self.rows))

    @property
    def steps_per_epoch(self) -> int:
        """The number of whole batches; the same in every epoch."""
        return len(self.rows) // self.images_per_step

    def epoch(self, number: int) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch, the first of which has the number 1."""
        return _prepared_ahead(lambda: self._batches(number))

    def _batches(self, number: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.rows))
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.images_per_step : (step + 1) * self.images_per_step]
            changed = self.color_jitter(self.augmentation(self.images[self.rows[chosen]], rng), rng)
            yield Batch(*self.mixing(changed, self.targets[chosen], rng))


def one_hot(labels: list[str], classes: tuple[str, ...]) -> NDArray[np.float32]:
    """Return ``(n, classes)``: a one in the column of each label."""
    column = {label: index for index, label in enumerate(classes)}
    return np.eye(len(classes), dtype=np.float32)[[column[label] for label in labels]]


def _prepared_ahead(batches: Callable[[], Iterator[Batch]]) -> Generator[Batch, None, None]:
    """Run a generator in a thread, a few items ahead; its errors come out here, and leaving early ends the thread."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    left = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not left.is_set():
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
        except BaseException as error:  # noqa: BLE001 -- it is raised again in the thread that waits for it
            put(error)

    thread = threading.Thread(target=prepare, name="batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        thread.join()


def in_order(
    images: NDArray[np.uint8], rows: NDArray[np.intp], targets: NDArray[np.float32], size: int = 64
) -> Iterator[Batch]:
    """Yield the images as they are, in the order of their rows, ``size`` at a time; the last batch may be smaller."""
    for start in range(0, len(rows), size):
        yield Batch(images[rows[start : start + size]], targets[start : start + size])
