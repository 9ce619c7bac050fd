"""Copies of a picture in several classes or subsets.

The groups are those that a training keeps together, from `stridednet.data.copies`: with a second perceptual hash, a
check could report copies that a training tears apart. It also misses fewer copies than imagehash's 64-bit hashes at the
same number of false alarms (`benchmarks/near_duplicates.py`), and its fingerprints are in the cache already.
"""

from collections.abc import Mapping

import numpy as np

from stridednet.checking.issue import COPY_CLASSES, COPY_SUBSETS, Issue
from stridednet.data.cache import Pictures
from stridednet.data.copies import Copies


def find_copies_across(pictures: Pictures, copies: Copies) -> list[Issue]:
    """Return an issue for each picture that has a copy in another class, or in another subset of the data set.

    The partner is the most similar such copy. A pair is reported once for each of its pictures, since either may be the
    one to remove. Copies in other classes are not reported again for being in other subsets.
    """
    manifest = pictures.manifest
    fingerprints = pictures.fingerprints[pictures.stored]
    paths = [manifest.relative(picture.path) for picture in manifest.pictures]
    issues = []
    for rows in copies.groups:
        for row in rows:
            here = manifest.pictures[row]
            difference: Mapping[int, float] = {
                other: _difference(fingerprints[row], fingerprints[other]) for other in rows if other != row
            }
            for kind, others in (
                (COPY_CLASSES, [other for other in difference if manifest.pictures[other].label != here.label]),
                (COPY_SUBSETS, [other for other in difference if manifest.pictures[other].subset != here.subset]),
            ):
                if others:
                    partner = min(others, key=lambda other: (difference[other], other))
                    there = manifest.pictures[partner]
                    same = pictures.digests[row] == pictures.digests[partner]
                    where = f"class {there.label}" if kind is COPY_CLASSES else f"subset {there.subset}"
                    issues.append(
                        Issue(
                            kind,
                            paths[row],
                            here.label,
                            f"{'identical file' if same else 'rescaled or recompressed copy'} in {where}",
                            here.subset or "",
                            round(difference[partner], 3),
                            partner=paths[partner],
                        )
                    )
                    break
    return sorted(issues, key=lambda issue: (issue.kind is COPY_SUBSETS, issue.score, issue.path))


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the root mean square difference of the low frequencies, in gray levels."""
    return float(np.sqrt(((one[:-3] - other[:-3]) ** 2).sum()))
