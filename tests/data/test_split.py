from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import copy_digits, needs_caltech101
from stridednet.data.scan import Manifest, Picture, scan
from stridednet.data.split import split, split_per_class
from stridednet.errors import DataError

FOUR = ("Faces", "Leopards", "Motorbikes", "airplanes")


@needs_caltech101
def test_supports_equal_those_of_the_tutorial(caltech101: Path) -> None:
    manifest = scan(caltech101, FOUR)
    parts = split(manifest, 0.25, 42)
    assert (len(parts.train), len(parts.val), len(parts.test)) == (1674, 0, 559)
    supports = Counter(manifest.pictures[row].label for row in parts.test)
    assert [supports[label] for label in FOUR] == [109, 50, 200, 200]
    assert (parts.curve, parts.report) == ("test", "test")


def _manifest(counts: list[int]) -> Manifest:
    labels = tuple(f"class{index}" for index in range(len(counts)))
    pictures = tuple(
        Picture(Path(f"/set/{label}/{number}.png"), label)
        for label, count in zip(labels, counts, strict=True)
        for number in range(count)
    )
    return Manifest(Path("/set"), labels, pictures)


@given(
    st.lists(st.integers(8, 60), min_size=2, max_size=6),
    st.floats(0.2, 0.6),
    st.integers(0, 2**32 - 1),
)
def test_the_split_is_disjoint_complete_stratified_and_seeded(counts: list[int], test_size: float, seed: int) -> None:
    manifest = _manifest(counts)
    parts = split(manifest, test_size, seed)
    assert sorted([*parts.train, *parts.test]) == list(range(sum(counts)))
    in_test = Counter(manifest.pictures[row].label for row in parts.test)
    for label, count in zip(manifest.labels, counts, strict=True):
        assert abs(in_test[label] - test_size * count) < 2
    again = split(manifest, test_size, seed)
    assert np.array_equal(again.train, parts.train)
    assert np.array_equal(again.test, parts.test)


@pytest.mark.parametrize("counts", [[1, 9], [2, 2, 2, 2, 2, 2]])
def test_too_few_images_are_an_error(counts: list[int]) -> None:
    with pytest.raises(DataError, match="too few"):
        split(_manifest(counts), 0.1, 0)


def test_predefined_subsets_are_kept(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    copy_digits(digits, root / "train", "01", 10)
    copy_digits(digits, root / "val", "01", 4, skip=10)
    only_val = split(scan(root), 0.25, 42)
    assert (len(only_val.train), len(only_val.val), len(only_val.test)) == (20, 8, 0)
    assert (only_val.curve, only_val.report) == ("val", "val")
    copy_digits(digits, root / "test", "01", 3, skip=20)
    all_three = split(scan(root), 0.25, 42)
    assert (len(all_three.train), len(all_three.val), len(all_three.test)) == (20, 8, 6)
    assert (all_three.curve, all_three.report) == ("val", "test")


def test_images_per_class() -> None:
    manifest = _manifest([40, 31, 90])
    parts = split_per_class(manifest, 30, 50, seed=0)
    for rows, counts in ((parts.train, [30, 30, 30]), (parts.test, [10, 1, 50]), (parts.unused, [0, 0, 10])):
        assert [sum(manifest.pictures[row].label == label for row in rows) for label in manifest.labels] == counts
    assert len(parts.subset_of()) == 161, "each picture is in exactly one subset"
    assert parts.origin == "per class"
    again, other = (split_per_class(manifest, 30, 50, seed) for seed in (0, 1))
    assert np.array_equal(again.train, parts.train)
    assert not np.array_equal(other.train, parts.train)
    assert len(split_per_class(manifest, 30, 0, seed=0).test) == 71


def test_images_per_class_leave_one_to_test_on() -> None:
    with pytest.raises(
        DataError, match=r"class 'class1' .* has too few usable images to split: 30, but at least 31 are required"
    ):
        split_per_class(_manifest([40, 30]), 30, 50, seed=0)
    manifest = Manifest(Path("/set"), ("a",), (Picture(Path("/set/test/a/1.png"), "a", "test"),))
    with pytest.raises(DataError, match="has predefined subsets; omit `train_per_class`"):
        split_per_class(manifest, 30, 50, seed=0)
