"""Compare two runs on the same pictures.

The comparison is paired: both runs see the same pictures, and only those that exactly one of them classifies correctly
tell the runs apart. Newcombe's interval says how large the difference is, and McNemar's exact test how often chance
alone would give one as large. Two separate intervals that overlap would not show that there is no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stridednet.data.cache import load_pictures
from stridednet.data.tree import printable, shown
from stridednet.errors import RunError
from stridednet.evaluation.evaluate import Evaluation, probabilities_of
from stridednet.evaluation.intervals import LEVEL, Interval, mcnemar_exact, newcombe_paired
from stridednet.run_directory import RunDirectory


@dataclass(frozen=True)
class Comparison:
    """How many pictures two runs classify correctly.

    Args:
        first: The folder of the first run.
        second: The folder of the second run.
        both: Number of pictures that both classify correctly.
        only_first: Number of pictures that only the first one classifies correctly.
        only_second: Number of pictures that only the second one classifies correctly.
        neither: Number of pictures that neither classifies correctly.
        left_out: Number of pictures that were left out, since the second run was trained on them; None if it is not
            known which these are.
    """

    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int
    left_out: int | None

    @property
    def pictures(self) -> int:
        """Number of pictures."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the first run minus that of the second."""
        return (self.only_first - self.only_second) / self.pictures

    @property
    def interval(self) -> Interval:
        """The 95% interval of the difference (Newcombe 1998, method 10)."""
        return newcombe_paired(self.both, self.only_first, self.only_second, self.neither)

    @property
    def p_value(self) -> float:
        """McNemar's exact test that both are equally accurate."""
        return mcnemar_exact(self.only_first, self.only_second)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return {
            "first": self.first,
            "second": self.second,
            "pictures": self.pictures,
            "left_out": self.left_out,
            "both_right": self.both,
            "only_first_right": self.only_first,
            "only_second_right": self.only_second,
            "neither_right": self.neither,
            "difference": self.difference,
            "interval": list(self.interval),
            "level": LEVEL,
            "p_value": self.p_value,
        }


def compare(evaluation: Evaluation, other: RunDirectory, say: Callable[[str], None]) -> Comparison:
    """Compare an evaluated run with another one on the same pictures.

    Pictures that the other run was trained on are left out, and so are those of classes that it does not have.

    Args:
        evaluation: The evaluation of the first run.
        other: The second run.
        say: Called with one-line messages about what was left out.

    Raises:
        RunError: The runs have no class in common, or no picture is left.
    """
    pictures = evaluation.pictures.pictures
    labels = evaluation.predictions.labels
    columns = {printable(label): column for column, label in enumerate(other.labels)}
    names = [labels[column] for column in evaluation.pictures.truth]
    known = np.array([name in columns for name in names])
    if not known.any():
        raise RunError(f"the run {other.folder} has none of the classes of these pictures: {shown(', '.join(labels))}")
    if not known.all():
        say(f"left out, since {other.folder} does not have their classes: {int((~known).sum()):,} pictures")
    if set(columns) != set(labels):
        say(f"{evaluation.run.folder} distinguishes {len(labels):,} classes and {other.folder} {len(columns):,}")
    trained = {row.sha256 for row in other.split if row.subset == "train"}
    seen = np.array([digest in trained for digest in pictures.digests])
    left_out = int((seen & known).sum())
    if "" in trained:
        say(f"whether {other.folder} was trained on some of these pictures is unknown: an earlier version made it")
    elif left_out:
        say(f"left out, since {other.folder} was trained on them: {left_out:,} pictures")
    rows = np.flatnonzero(known & ~seen)
    if not len(rows):
        raise RunError(f"the run {other.folder} was trained on all of these pictures; give other pictures as `dataset`")
    truth = np.array([columns[names[row]] for row in rows], np.intp)
    first = (evaluation.predictions.guess == evaluation.pictures.truth)[rows]
    second = _guesses(evaluation, other, rows) == truth
    return Comparison(
        str(evaluation.run.folder),
        str(other.folder),
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
        None if "" in trained else left_out,
    )


def _guesses(evaluation: Evaluation, other: RunDirectory, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the most probable class of some pictures, ``(n,)``, decoded as the other run needs them."""
    manifest = evaluation.pictures.pictures.manifest
    part = replace(manifest, pictures=tuple(manifest.pictures[row] for row in rows), problems=())
    recipe = other.recipe
    pictures = load_pictures(part, recipe.image_size, rule=recipe.resize, ranges=other.sample_ranges or None)
    guess: NDArray[np.intp] = probabilities_of(other.model(), pictures).argmax(axis=1)
    return guess
