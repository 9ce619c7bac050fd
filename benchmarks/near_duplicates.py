"""Which perceptual hash finds copies of pictures: the one of `stridednet.data.copies`, or those of imagehash.

    python benchmarks/near_duplicates.py PATH/101_ObjectCategories [--labels A,B,...] [--count 300]

From each of some random pictures, copies are made as programs make them: thumbnails, recompression, another format. A
copy is found if its distance from the original is within the limit. A false alarm is a pair of different original
pictures within the limit; the pair of motorbikes that differ in the engine only counts as one. For each hash of
imagehash, the largest limit with no more false alarms than ours is shown, and the next one.
"""

import argparse
import io
import os
from collections.abc import Callable

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stridednet.data.copies import find_copies, fingerprint
from stridednet.data.scan import scan

LABELS = "Faces,Leopards,Motorbikes,airplanes"


def _saved(picture: Image.Image, **options: object) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", **options)  # type: ignore[arg-type]
    return Image.open(io.BytesIO(content.getvalue())).convert("RGB")


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": lambda picture: _saved(picture, quality=50),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX),
    "thumbnail of 64 pixels, quality 75": lambda picture: _saved(
        picture.resize((64, max(1, 64 * picture.height // picture.width)), Image.Resampling.LANCZOS), quality=75
    ),
    "twice the size, quality 90": lambda picture: _saved(
        picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC), quality=90
    ),
}


def _bits(pictures: list[Image.Image], hashed: Callable[[Image.Image], imagehash.ImageHash]) -> NDArray[np.bool_]:
    return np.stack([hashed(picture).hash.ravel() for picture in pictures])


def _pairs_within(bits: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return, for each limit from 0, how many pairs of pictures differ in at most so many bits."""
    signs = bits.astype(np.float32) * 2 - 1
    apart = ((bits.shape[1] - signs @ signs.T) / 2).round().astype(np.intp)
    return np.cumsum(np.bincount(apart[np.triu_indices(len(bits), 1)], minlength=bits.shape[1] + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", default=os.environ.get("STRIDEDNET_CALTECH101"))
    parser.add_argument("--labels", default=LABELS)
    parser.add_argument("--count", type=int, default=300, help="pictures that are copied")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not arguments.dataset:
        parser.error("name the folder 101_ObjectCategories, or set STRIDEDNET_CALTECH101")
    manifest = scan(arguments.dataset, [label for label in arguments.labels.split(",") if label])
    originals = [Image.open(picture.path).convert("RGB") for picture in manifest.pictures]
    rng = np.random.default_rng(arguments.seed)
    chosen = rng.choice(len(originals), min(arguments.count, len(originals)), replace=False).tolist()
    copies = {name: [make(originals[row]) for row in chosen] for name, make in COPIES.items()}
    print(f"{len(originals):,} pictures, copies of {len(chosen)}")

    prints = np.stack([fingerprint(np.asarray(picture)) for picture in originals])
    groups = find_copies([str(row) for row in range(len(prints))], prints).similar
    ours = sum(len(group) * (len(group) - 1) // 2 for group in groups)
    print(f"  {'data/copies.py':24} false pairs {ours:7,}", end="")
    for made in copies.values():
        found = 0
        for row, copy in zip(chosen, made, strict=True):
            both = np.stack([prints[row], fingerprint(np.asarray(copy))])
            found += bool(find_copies(["original", "copy"], both).similar)
        print(f"   {found / len(chosen):.3f}", end="")
    print()
    for name in ("phash", "dhash", "average_hash", "whash"):
        hashed = getattr(imagehash, name)
        bits = _bits(originals, hashed)
        pairs = _pairs_within(bits)
        last = int(np.flatnonzero(pairs <= max(ours, pairs[0])).max())
        found_bits = {kind: _bits(made, hashed) for kind, made in copies.items()}
        for limit in (last, last + 2, last + 4):
            print(f"  {f'{name}, {limit} of 64 bits':24} false pairs {pairs[limit]:7,}", end="")
            for made_bits in found_bits.values():
                print(f"   {((made_bits != bits[chosen]).sum(axis=1) <= limit).mean():.3f}", end="")
            print()
    print(f"  the columns, fraction found: {'; '.join(COPIES)}")


if __name__ == "__main__":
    main()
