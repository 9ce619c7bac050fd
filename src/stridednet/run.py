"""A training that can be used: predictions, evaluation, figures."""

import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stridednet.data.tree import shown
from stridednet.errors import RunError
from stridednet.run_directory import RunDirectory

if TYPE_CHECKING:
    from stridednet.data.given_images import Given
    from stridednet.deploy.prediction import Prediction
    from stridednet.deploy.run_model import RunModel
    from stridednet.evaluation.evaluate import Evaluation
    from stridednet.evaluation.explanation import Explanation, PictureExplainer
    from stridednet.evaluation.notebook import DisplayedFigure


@dataclass(frozen=True)
class Run(RunDirectory):
    """One training and its folder. In a notebook, a run is displayed as a table with its figure.

    Examples:
        >>> import numpy as np, stridednet, tempfile
        >>> settings = {"epochs": 1, "image_size": 16, "model.filters": [8], "model.dense_units": 16}
        >>> folder = tempfile.mkdtemp()
        >>> result = stridednet.train("digits", settings=settings, out=folder)
        >>> run = Run.open(folder)
        >>> run.recipe.epochs, run.labels[:3], run.report["report"]["support"]
        (1, ['0', '1', '2'], 1250)
        >>> run.predictor().predict(np.zeros((2, 16, 16, 3), np.uint8)).shape
        (2, 10)
        >>> run.plot().axes[0].get_title()
        'Training Loss and Accuracy on Dataset'
    """

    def predict(self, image: "Given | Sequence[Given]") -> "Prediction | list[Prediction]":
        """Return what the model says about an image, or about each of several.

        Images are decoded and resized as in training. One at a time, and the first thousand of several, need neither
        Keras nor PyTorch if the run has a ``predict.npz``.

        Args:
            image: A path, a Pillow image, or a uint8 array ``(height, width, 3)``, RGB, of any size; several of them
                as a list, or as an array ``(n, height, width, 3)``.

        Returns:
            A `Prediction` with ``label``, ``probability`` and ``probabilities``; a list of them for several images.

        Raises:
            InputError: The argument is of another type, shape or range, or a file is not a readable picture.
            RunError: The run is damaged.

        Examples:
            >>> import numpy as np, stridednet, tempfile
            >>> settings = {"epochs": 1, "image_size": 16, "model.filters": [8], "model.dense_units": 16}
            >>> run = stridednet.train("digits", settings=settings, out=tempfile.mkdtemp()).run
            >>> prediction = run.predict(np.zeros((28, 28, 3), np.uint8))
            >>> prediction.label in run.labels, len(prediction.probabilities)
            (True, 10)
        """
        from stridednet.data.given_images import is_several, resized
        from stridednet.deploy.prediction import Prediction

        model = self._model
        rows = model.predict(resized(image, model.size, model.ranges, model.rule))
        predictions = [Prediction.of(model.labels, row) for row in rows]
        return predictions if is_several(image) else predictions[0]

    @cached_property
    def _model(self) -> "RunModel":
        from stridednet.deploy.run_model import RunModel

        return RunModel(self)

    def explain(self, image: "Given", label: str | None = None) -> "Explanation":
        """Compute which parts of a picture speak for a class.

        Args:
            image: A path, a Pillow image, or a uint8 array ``(height, width, 3)``, RGB, of any size.
            label: Name of the class; None for the most probable class.

        Returns:
            The picture, its heatmap, and the label with its probability; ``save("heatmap.png")`` draws them.

        Raises:
            InputError: ``image`` is none of these, its file is not a readable picture, or the run has no such class.
            ModelError: The model has no feature maps, or computes NaN or infinity.
            RunError: The model's file is damaged.
        """
        return self._explainer.explain(image, label)

    @cached_property
    def _explainer(self) -> "PictureExplainer":
        from stridednet.evaluation.explanation import PictureExplainer

        return PictureExplainer(self)

    def evaluate(
        self,
        dataset: str | os.PathLike[str] | None = None,
        *,
        labels_from: str = "",
        exclude: Sequence[str] = (),
        on_message: Callable[[str], None] = lambda _: None,
    ) -> "Evaluation":
        """Evaluate the run on its own test subset, or on new data.

        Args:
            dataset: A folder of class folders, an archive of one, or the name of a data set, whose classes are matched
                by name; None for the run's own test subset.
            labels_from: Where the labels of new data are: ``"name"`` or a CSV file.
            exclude: Files and folders of new data to ignore, as patterns.
            on_message: Called with one-line messages about what was found and left out.

        Returns:
            An `Evaluation` with ``scores``, ``reliability`` and ``predictions``; ``save()`` writes its files.

        Raises:
            DataError: The data set does not exist, or has no usable picture of a class of the run.
            RunError: The run is damaged, or the pictures of its test subset are not in its data set any more.
        """
        from stridednet.evaluation.evaluate import evaluate

        return evaluate(self, dataset, labels_from=labels_from, exclude=exclude, on_message=on_message)

    def plot(self) -> "DisplayedFigure":
        """Draw loss and accuracy over the epochs, as in the ``plot.png`` of the run.

        Raises:
            RunError: The history or the report of the run cannot be read.
        """
        from stridednet.evaluation.figures import history_figure

        return history_figure(self.history, self.report["curve_on"])

    def _repr_html_(self) -> str:
        """Return a table of the run and its figure, without references to other files; or why it cannot be read."""
        from stridednet.evaluation.notebook import run_as_html

        try:
            return run_as_html(self, self.plot())
        except RunError as error:
            return f"<p>{html.escape(shown(str(error)))}</p>"
