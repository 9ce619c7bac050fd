import numpy as np
import pytest

from stridednet.data.augment import Augmentation
from stridednet.data.batches import BatchStream
from stridednet.data.mixing import Mixing

N, SIZE = 64, 16
COLOURS = np.random.default_rng(0).permutation(N).astype(np.uint8) * 3  # one for each image, all different
IMAGES = np.broadcast_to(COLOURS[:, None, None, None], (N, SIZE, SIZE, 3)).copy()
TARGETS = np.eye(N, dtype=np.float32)


def test_nothing_is_mixed_unless_asked_for() -> None:
    images, targets = Mixing()(IMAGES, TARGETS, np.random.default_rng(1))
    assert images is IMAGES
    assert targets is TARGETS


def test_targets_say_how_much_of_each_image_is_there() -> None:
    # Each image is of one colour, so the mean of a mixed one is the mean of the colours, weighted by its targets.
    rng = np.random.default_rng(2)
    for _ in range(20):
        images, targets = Mixing(mixup=0.4)(IMAGES, TARGETS, rng)
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), targets @ COLOURS, atol=0.51)  # pixels are rounded
    assert (images.dtype, targets.dtype, images.shape) == (np.uint8, np.float32, IMAGES.shape)


def test_mixup_blends_whole_images_and_each_with_its_own_weight() -> None:
    images, targets = Mixing(mixup=1.0)(IMAGES, TARGETS, np.random.default_rng(3))
    assert (images == images[:, :1, :1]).all()
    own = targets.diagonal()
    assert len(set(own.tolist())) > N // 2
    assert own.mean() == pytest.approx(0.5, abs=4 * (1 / 12 / N) ** 0.5 + 1 / N)  # Beta(1, 1) is uniform


def test_the_images_given_stay_as_they_are() -> None:
    before = IMAGES.copy()
    Mixing(mixup=0.4)(IMAGES, TARGETS, np.random.default_rng(5))
    assert np.array_equal(IMAGES, before)


def test_a_stream_mixes_by_seed_and_epoch_alone() -> None:
    rows = np.arange(N)
    stream = BatchStream(IMAGES, rows, TARGETS, 16, Augmentation(), 3, mixing=Mixing(mixup=0.4))
    first, again, later = (list(stream.epoch(number)) for number in (1, 1, 2))
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.targets, b.targets) for a, b in zip(first, later, strict=True))
    assert any((batch.targets.max(axis=1) < 1).any() for batch in first)
