"""A training that can be used: predictions, evaluation, figures."""

from dataclasses import dataclass

from stridednet.run_directory import RunDirectory


@dataclass(frozen=True)
class Run(RunDirectory):
    """One training and its folder.

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
    """
