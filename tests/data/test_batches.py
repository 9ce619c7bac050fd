import threading
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from stridednet.data.augment import Augmentation, Warps
from stridednet.data.batches import BatchStream, in_order, one_hot


def _stream(n: int = 20, batch_size: int = 6, seed: int = 3, **ranges: float) -> BatchStream:
    # Image i is filled with the value i, so that images can be identified in the batches.
    images = np.broadcast_to(np.arange(n + 5, dtype=np.uint8)[:, None, None, None], (n + 5, 8, 8, 3)).copy()
    rows = np.arange(5, n + 5)
    targets = np.eye(4, dtype=np.float32)[np.arange(n) % 4]
    return BatchStream(images, rows, targets, batch_size, Augmentation(**ranges), seed)


def test_every_epoch_has_complete_batches_of_distinct_images() -> None:
    stream = _stream()
    assert stream.steps_per_epoch == 3
    for number in (1, 2, 3):
        batches = list(stream.epoch(number))
        seen = np.concatenate([batch.images[:, 0, 0, 0] for batch in batches])
        assert [len(batch.images) for batch in batches] == [6, 6, 6]
        assert len(set(seen.tolist())) == 18
        for batch in batches:
            assert np.array_equal(batch.targets.argmax(axis=1), (batch.images[:, 0, 0, 0] - 5) % 4)


def test_order_depends_only_on_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [int(value) for batch in _stream(seed=seed).epoch(epoch) for value in batch.images[:, 0, 0, 0]]

    assert order(3, 2) == order(3, 2)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (1, 2)}) == 4


def test_augmentation_depends_only_on_seed_and_epoch() -> None:
    stream = _stream(width_shift_range=0.5)
    stream.images[:] = np.random.default_rng(0).integers(0, 255, stream.images.shape)
    first, again, later = (list(stream.epoch(number)) for number in (1, 1, 2))
    assert all(np.array_equal(a.images, b.images) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.images, b.images) for a, b in zip(first, later, strict=True))


def test_consecutive_epochs_are_those_of_each_number() -> None:
    stream = _stream(width_shift_range=0.5)
    stream.images[:] = np.random.default_rng(0).integers(0, 255, stream.images.shape)
    together = list(stream.epochs(range(2, 5)))
    apart = [batch for number in (2, 3, 4) for batch in stream.epoch(number)]
    assert len(together) == 3 * stream.steps_per_epoch
    assert all(np.array_equal(a.images, b.images) for a, b in zip(together, apart, strict=True))
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(together, apart, strict=True))
    assert list(stream.epochs(range(4, 4))) == []


def test_the_next_epoch_is_prepared_before_it_is_asked_for() -> None:
    prepared = threading.Semaphore(0)

    class Counted(Augmentation):
        def draw(self, *arguments: Any) -> Warps:
            prepared.release()
            return super().draw(*arguments)

    stream = _stream()
    counted = BatchStream(stream.images, stream.rows, stream.targets, 6, Counted(), 0)
    with closing(counted.epochs(range(1, 3))) as batches:
        for _ in range(counted.steps_per_epoch):
            next(batches)
        for _ in range(2 * counted.steps_per_epoch):
            assert prepared.acquire(timeout=60)


def test_fewer_images_than_the_batch_size_are_one_step() -> None:
    stream = _stream(n=4, batch_size=32)
    assert (stream.steps_per_epoch, stream.images_per_step) == (1, 4)
    assert [len(batch.images) for batch in stream.epoch(1)] == [4]


def _threads() -> int:
    return sum(thread.name == "batches" for thread in threading.enumerate())


def test_closing_an_epoch_ends_the_thread() -> None:
    epoch = _stream(n=200, batch_size=1).epoch(1)
    next(epoch)
    assert _threads() == 1
    epoch.close()
    assert _threads() == 0


def test_an_error_in_the_thread_is_raised() -> None:
    class Broken(Augmentation):
        def draw(self, *_: object) -> Warps:
            raise MemoryError("out of memory for a batch")

    stream = _stream()
    broken = BatchStream(stream.images, stream.rows, stream.targets, 6, Broken(), 0)
    with pytest.raises(MemoryError, match="out of memory"):
        list(broken.epoch(1))
    assert _threads() == 0


def test_in_order_yields_each_image_once() -> None:
    stream = _stream()
    batches = list(in_order(stream.images, stream.rows, stream.targets, size=8))
    assert [len(batch.images) for batch in batches] == [8, 8, 4]
    assert np.concatenate([batch.images[:, 0, 0, 0] for batch in batches]).tolist() == list(range(5, 25))


def test_one_hot() -> None:
    assert one_hot(["b", "a", "c"], ("a", "b", "c")).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
