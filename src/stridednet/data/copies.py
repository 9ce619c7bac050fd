"""Find pictures that are copies of each other, and keep them in the same subset of a split.

Identical files have the same SHA-256. Copies of another size or compression are found by a perceptual hash: as in pHash
(Zauner 2010), the lowest 8x8 frequencies of the discrete cosine transform of a gray 32x32 thumbnail, here as numbers
instead of signs, together with the mean color. Copies made by common programs, down to 64
pixels of a photograph, differ by less than 1.6 gray levels; the most similar different photographs of the tutorial's
four classes differ by 3.3, and the most similar digits by 4.0.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_THUMBNAIL = 32  # pixels
_FREQUENCIES = 8
FINGERPRINT_LENGTH = _FREQUENCIES**2 + 3
_MAX_DIFFERENCE = 2.0  # root mean square of the low frequencies, in gray levels
_MAX_RELATIVE = 0.25  # of the contrast: dark or pale pictures are all similar
_MAX_COLOR_DIFFERENCE = 4.0  # of the mean of each channel, in levels
_LARGEST_GROUP = 50  # more similar pictures than that are a series, such as the frames of a video
_PER_QUERY = 512  # pictures

Fingerprints = NDArray[np.float32]


def fingerprint(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the perceptual hash of an image ``(height, width, 3)``: 64 frequencies and the mean of each channel."""
    height, width = image.shape[:2]
    if min(height, width) < _THUMBNAIL:  # OpenCV averages over areas only when it shrinks
        image = image.repeat(math.ceil(_THUMBNAIL / height), axis=0).repeat(math.ceil(_THUMBNAIL / width), axis=1)
    thumbnail = cv2.resize(image, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # The transform is orthonormal: divided by the thumbnail's side, distances are root mean squares of gray levels.
    low = cv2.dct(gray)[:_FREQUENCIES, :_FREQUENCIES] / _THUMBNAIL
    return np.concatenate([low.ravel(), thumbnail.mean(axis=(0, 1))]).astype(np.float32)


@dataclass(frozen=True)
class Copies:
    """Groups of pictures that are copies of each other, as rows of the manifest in ascending order.

    ``identical`` have the same bytes; ``similar`` also contain copies of another size or compression. ``series`` are
    larger groups, such as the frames of a video, which are not taken for copies.
    """

    identical: tuple[tuple[int, ...], ...]
    similar: tuple[tuple[int, ...], ...]
    series: tuple[tuple[int, ...], ...] = ()

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """All groups, without those that are part of another one."""
        inside = {row for group in self.similar for row in group}
        return (*self.similar, *(group for group in self.identical if group[0] not in inside))


def find_copies(digests: Sequence[str], fingerprints: Fingerprints) -> Copies:
    """Return the groups of pictures that are copies of each other.

    Args:
        digests: The SHA-256 of each file.
        fingerprints: The perceptual hash of each picture, of shape ``(n, FINGERPRINT_LENGTH)``.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        rows_of[digest].append(row)
    first = np.array([rows[0] for rows in rows_of.values()], np.intp)
    leader = {int(row): int(row) for row in first}

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for one, other in _similar_pairs(fingerprints[first]):
        a, b = sorted((find(int(first[one])), find(int(first[other]))))
        leader[b] = a
    similar: dict[int, list[int]] = defaultdict(list)
    for rows in rows_of.values():
        similar[find(rows[0])] += rows
    different = {find(rows[0]): len({digests[row] for row in rows}) for rows in similar.values()}
    found = [tuple(sorted(rows)) for head, rows in similar.items() if different[head] > 1]
    return Copies(
        tuple(tuple(rows) for rows in rows_of.values() if len(rows) > 1),
        tuple(group for group in found if len(group) <= _LARGEST_GROUP),
        tuple(group for group in found if len(group) > _LARGEST_GROUP),
    )


def _similar_pairs(fingerprints: Fingerprints) -> Iterator[tuple[int, int]]:
    frequencies, colors = fingerprints[:, :-3], fingerprints[:, -3:]
    contrast = np.sqrt((frequencies[:, 1:] ** 2).sum(axis=1))
    allowed = np.minimum(_MAX_DIFFERENCE, _MAX_RELATIVE * contrast)
    if len(fingerprints) < 2:
        return
    from sklearn.neighbors import KDTree

    tree = KDTree(frequencies)
    for start in range(0, len(frequencies), _PER_QUERY):
        part = slice(start, start + _PER_QUERY)
        found, distances = tree.query_radius(frequencies[part], allowed[part], return_distance=True)
        for row, (others, apart) in enumerate(zip(found, distances, strict=True), start):
            close = others[(others > row) & (apart <= allowed[others])]
            for other in close[np.abs(colors[close] - colors[row]).max(axis=1, initial=0) <= _MAX_COLOR_DIFFERENCE]:
                yield row, int(other)
