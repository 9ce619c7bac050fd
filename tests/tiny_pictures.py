"""Small random pictures, for tests of layouts, formats and copies."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int | str, width: int = 40, height: int = 40) -> Image.Image:
    """A picture that looks like no other one."""
    number = zlib.crc32(str(seed).encode())
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8))


def write_classes(root: Path, labels: Iterable[str], count: int = 6, suffix: str = ".png") -> Path:
    """Write a folder of pictures for each label; all pictures of a test differ."""
    for label in labels:
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise(f"{root} {label} {number}").save(root / label / f"{number}{suffix}")
    return root
