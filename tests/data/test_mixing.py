import numpy as np
import pytest

from stridednet.data.augment import Augmentation
from stridednet.data.batches import BatchStream
from stridednet.data.mixing import Mixing

N, SIZE = 64, 16
COLORS = np.random.default_rng(0).permutation(N).astype(np.uint8) * 3  # one per image, all different
IMAGES = np.broadcast_to(COLORS[:, None, None, None], (N, SIZE, SIZE, 3)).copy()
TARGETS = np.eye(N, dtype=np.float32)


def test_the_default_changes_nothing() -> None:
    images, targets = Mixing()(IMAGES, TARGETS, np.random.default_rng(1))
    assert images is IMAGES
    assert targets is TARGETS


def test_targets_are_the_weights_of_the_images() -> None:
    # Each image has a single color, so the mean of a blend is the mean of the colors weighted by its targets.
    rng = np.random.default_rng(2)
    for _ in range(20):
        images, targets = Mixing(mixup=0.4)(IMAGES, TARGETS, rng)
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), targets @ COLORS, atol=0.51)  # pixels are rounded
    assert (images.dtype, targets.dtype, images.shape) == (np.uint8, np.float32, IMAGES.shape)


def test_mixup_blends_each_image_with_a_weight_of_its_own() -> None:
    images, targets = Mixing(mixup=1.0)(IMAGES, TARGETS, np.random.default_rng(3))
    assert (images == images[:, :1, :1]).all()
    own = targets.diagonal()
    assert len(set(own.tolist())) > N // 2
    assert own.mean() == pytest.approx(0.5, abs=4 * (1 / 12 / N) ** 0.5 + 1 / N)  # Beta(1, 1) is uniform


def test_the_input_is_not_modified() -> None:
    before = IMAGES.copy()
    Mixing(mixup=0.4)(IMAGES, TARGETS, np.random.default_rng(5))
    assert np.array_equal(IMAGES, before)


def test_mixing_in_a_stream_depends_only_on_seed_and_epoch() -> None:
    rows = np.arange(N)
    stream = BatchStream(IMAGES, rows, TARGETS, 16, Augmentation(), 3, mixing=Mixing(mixup=0.4))
    first, again, later = (list(stream.epoch(number)) for number in (1, 1, 2))
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.targets, b.targets) for a, b in zip(first, later, strict=True))
    assert any((batch.targets.max(axis=1) < 1).any() for batch in first)
