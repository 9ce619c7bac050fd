"""evaluate(): what a run says about pictures whose classes are known, as numbers and files."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stridednet.data.cache import Pictures
from stridednet.data.tree import printable
from stridednet.evaluation.intervals import LEVEL
from stridednet.evaluation.labeled_pictures import LabeledPictures, labeled_pictures
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.reliability import Reliability, reliability
from stridednet.evaluation.scores import Scores, scores
from stridednet.run_directory import RunDirectory
from stridednet.storage import user_path

if TYPE_CHECKING:
    import keras

_BATCH_SIZE = 256


@dataclass(frozen=True)
class Evaluation:
    """What a run says about pictures whose classes are known.

    Args:
        run: The run.
        pictures: The pictures and their classes.
        probabilities: ``(n, classes)``, float32.
        model: The model of the run.

    Examples:
        >>> import stridednet, tempfile
        >>> settings = {"epochs": 1, "image_size": 16, "model.filters": [8], "model.dense_units": 16}
        >>> run = stridednet.train("digits", settings=settings, out=tempfile.mkdtemp()).run
        >>> evaluation = run.evaluate()
        >>> evaluation.subset, len(evaluation.predictions.truth)
        ('test', 1250)
        >>> low, high = evaluation.scores.accuracy.interval
        >>> low < evaluation.scores.accuracy.value < high
        True
    """

    run: RunDirectory
    pictures: LabeledPictures
    probabilities: NDArray[np.float32]
    model: "keras.Model"

    @property
    def subset(self) -> str:
        """Which pictures these are: "test" or "val" for a subset of the run's own data set, or "new data"."""
        return self.pictures.subset

    @cached_property
    def predictions(self) -> Predictions:
        """The probabilities with the true classes."""
        labels = tuple(printable(label) for label in self.run.labels)
        return Predictions(labels, self.pictures.paths, self.pictures.truth, self.probabilities)

    @cached_property
    def scores(self) -> Scores:
        """Accuracy and the scores of each class, with intervals."""
        return scores(self.predictions)

    @cached_property
    def reliability(self) -> Reliability:
        """How confidence and accuracy compare."""
        return reliability(self.predictions)

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return a picture as the model takes it, ``(height, width, 3)``."""
        pictures = self.pictures.pictures
        return np.array(pictures.images[pictures.stored[row]])

    def file(self, row: int) -> Path:
        """Return the path of a picture's file."""
        return self.pictures.files[row]

    def save(self, folder: str | os.PathLike[str] | None = None) -> list[Path]:
        """Write ``evaluation.json``, figures, a table of the mistakes and ``report.html``, and return their paths.

        Args:
            folder: Where to write them; None for the run's folder, or for new data a new one in its ``evaluations``.

        Raises:
            InputError: The folder is inside the data set, not a folder, or has other files in it.
            StorageError: A file cannot be written.
        """
        from stridednet.evaluation.evaluation_files import check_place, write_evaluation

        out = None if folder is None else user_path(folder, "folder")
        check_place(self.run, self.pictures.dataset, out)
        return write_evaluation(self, out)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``."""
        found, calibration, pictures = self.scores, self.reliability, self.pictures
        return {
            "run": str(self.run.folder),
            "dataset": pictures.dataset,
            "subset": self.subset,
            "pictures": len(pictures.truth),
            "missing_classes": list(pictures.missing),
            "extra_classes": pictures.extra,
            "training_pictures": pictures.trained_on,
            "level": LEVEL,
            "accuracy": found.accuracy.as_dict(),
            "mean_class_accuracy": found.mean_class_accuracy.as_dict(),
            "macro_f1": found.macro_f1.as_dict(),
            "weighted_f1": found.weighted_f1.as_dict(),
            "top_k": {str(k): score.as_dict() for k, score in found.top_k.items()},
            "brier_score": found.brier_score,
            "expected_calibration_error": calibration.error,
            "reliability": [one.as_dict() for one in calibration.bins],
            "labels": list(self.predictions.labels),
            "classes": {one.label: one.as_dict() for one in found.classes},
            "confusion": found.confusion.tolist(),
        }


def evaluate(
    run: RunDirectory,
    dataset: str | os.PathLike[str] | None = None,
    *,
    labels_from: str = "",
    exclude: Sequence[str] = (),
    on_message: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Evaluate a run on its own test subset, or on new data.

    Classes of new data are matched with those of the run by name. Of a data set with predefined subsets, the test
    subset is used.

    Args:
        run: A finished run.
        dataset: A folder of class folders, an archive of one, or the name of a data set; if it is the data set of the
            run, at its old place or a new one, the run's test subset. None for the run's own data set.
        labels_from: Where the labels of new data are: ``"name"`` or a CSV file, as in the setting of this name.
        exclude: Files and folders of new data to ignore, as patterns.
        on_message: Called with one-line messages about what was found and left out.

    Raises:
        DataError: The data set does not exist, or has no usable picture of a class of the run.
        RunError: The run is damaged, or the pictures of its test subset are not in its data set any more.
    """
    pictures = labeled_pictures(run, dataset, on_message, labels_from=labels_from, exclude=exclude)
    model = run.model()
    return Evaluation(run, pictures, probabilities_of(model, pictures.pictures), model)


def probabilities_of(model: "keras.Model", pictures: Pictures) -> NDArray[np.float32]:
    """Return the probabilities of decoded pictures, ``(n, classes)``; few of them are in memory at a time."""
    from stridednet.executor.predictor import Predictor

    starts = range(0, len(pictures.stored), _BATCH_SIZE)
    batches = (pictures.images[pictures.stored[start : start + _BATCH_SIZE]] for start in starts)
    return Predictor(model).predict_batches(batches)
