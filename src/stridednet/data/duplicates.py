"""Find byte-identical pictures in different classes (label noise) or different subsets (leakage into the test)."""

from collections import defaultdict
from dataclasses import dataclass

from stridednet.data.cache import Pictures


@dataclass(frozen=True)
class Duplicate:
    """Files with identical bytes: paths relative to the root of the data set, labels and subsets."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    subsets: tuple[str, ...]

    @property
    def across(self) -> str:
        """Whether the copies are in different ``classes`` or only in different ``subsets``."""
        return "classes" if len(set(self.labels)) > 1 else "subsets"


def find_duplicates(pictures: Pictures, subset_of: dict[int, str]) -> list[Duplicate]:
    """Return the byte-identical pictures in different classes or subsets. They are reported but not removed."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(pictures.digests):
        rows_of[digest].append(row)
    found = []
    for rows in rows_of.values():
        members = [pictures.manifest.pictures[row] for row in rows]
        labels = tuple(member.label for member in members)
        subsets = tuple(subset_of[row] for row in rows)
        if len(set(labels)) > 1 or len(set(subsets)) > 1:
            found.append(
                Duplicate(tuple(pictures.manifest.relative(member.path) for member in members), labels, subsets)
            )
    return found
