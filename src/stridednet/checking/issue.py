"""What an issue is, and the kinds of issues, in the order in which they are shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of issue: its name in ``check.csv``, its title, and one sentence about how it is found."""

    name: str
    title: str
    how: str


LABEL = Kind(
    "label",
    "Label issues",
    "A model that was trained without the picture is confident that it belongs to another class. Score: the model's "
    "probability of the given class.",
)
COPY_CLASSES = Kind(
    "copy in another class",
    "Copies in several classes",
    "Identical files, or rescaled or recompressed copies of a picture, in different classes: at most one label can be "
    "right. Score: the difference in gray levels.",
)
COPY_SUBSETS = Kind(
    "copy in another subset",
    "Copies in several subsets",
    "Identical files, or rescaled or recompressed copies of a picture, in different subsets, so that a test would be "
    "measured on training pictures. Score: the difference in gray levels.",
)
UNREADABLE = Kind("unreadable", "Files that cannot be used", "These files are skipped in a training.")
BLANK = Kind("blank", "Blank pictures", "Nearly one color. Score: the standard deviation of the luminance, 0 to 128.")
DARK = Kind(
    "dark",
    "Dark pictures",
    "Dark, also in comparison with the data set. Score: the mean luminance, 0 to 255.",
)
BLURRED = Kind(
    "blurred",
    "Blurred pictures",
    "Far fewer fine details than in the rest of the data set; a smooth subject looks the same. Score: the variance of "
    "the Laplacian as a fraction of its median.",
)
SHAPE = Kind(
    "odd shape",
    "Unusual aspect ratios",
    "Far wider or taller than the rest, and therefore distorted the most when resized to a square. Score: width / "
    "height.",
)
SIZE = Kind("odd size", "Unusual sizes", "Far smaller or larger than the rest. Score: megapixels.")
CLASS = Kind(
    "small class",
    "Small classes",
    "Few pictures in comparison with the largest class, or none in one of the subsets. Score: number of pictures.",
)

KINDS = (LABEL, COPY_CLASSES, COPY_SUBSETS, UNREADABLE, BLANK, DARK, BLURRED, SHAPE, SIZE, CLASS)


@dataclass(frozen=True)
class Issue:
    """Something in a data set that deserves a look. It need not be a mistake.

    Args:
        kind: The kind of issue.
        path: The file, relative to the data set; the name of the class for `CLASS`.
        label: The class of the file; empty if it is in none.
        subset: The subset of the file; empty if the data set has no predefined subsets.
        details: What was found, in words.
        score: The number that the kind of issue describes; None if there is none.
        suggested: The suggested class of a label issue.
        partner: The other file of two copies.
    """

    kind: Kind
    path: str
    label: str
    details: str
    subset: str = ""
    score: float | None = None
    suggested: str = ""
    partner: str = ""

    def as_dict(self) -> dict[str, str | float | None]:
        """Return the issue as a row of ``check.csv``, by column."""
        return {
            "path": self.path,
            "issue": self.kind.name,
            "class": self.label,
            "subset": self.subset,
            "suggested_class": self.suggested,
            "partner": self.partner,
            "score": self.score,
            "details": self.details,
        }
