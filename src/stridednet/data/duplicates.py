"""Byte-identical pictures that stand in two classes or in two subsets: the first confuse, the second flatter."""

from collections import defaultdict
from dataclasses import dataclass

from stridednet.data.cache import Pictures


@dataclass(frozen=True)
class Duplicate:
    """Files with the same bytes: their paths from the root of the data set, their labels and their subsets."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    subsets: tuple[str, ...]

    @property
    def across(self) -> str:
        """What the copies are spread over, classes being the worse case."""
        return "classes" if len(set(self.labels)) > 1 else "subsets"


def find_duplicates(pictures: Pictures, subset_of: dict[int, str]) -> list[Duplicate]:
    """List the byte-identical pictures of different classes or subsets. They are reported, and used all the same."""
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
