"""A training that can be used: predictions, evaluation, figures."""

import base64
import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stridednet.data.tree import shown
from stridednet.errors import RunError
from stridednet.run_directory import RunDirectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_CLASSES = 12  # names that a notebook shows


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

    def plot(self) -> "Figure":
        """Draw loss and accuracy over the epochs, as in the ``plot.png`` of the run.

        Raises:
            RunError: The history or the report of the run cannot be read.
        """
        from stridednet.evaluation.figures import history_figure

        return history_figure(self.history, self.report["curve_on"])

    def _repr_html_(self) -> str:
        """Return a table of the run and its figure, without references to other files; or why it cannot be read."""
        try:
            return self._table()
        except RunError as error:
            return f"<p>{html.escape(shown(str(error)))}</p>"

    def _table(self) -> str:
        report, scores = self.report, self.report["report"]
        subset = report["report_on"]
        accuracy = f"{scores['accuracy']:.3f}"
        rows = {
            "run": str(self.folder),
            "data set": report["dataset"],
            "recipe": f"{report['recipe']}, seed {report['seed']}",
            "model": f"{report['model']['name']}, {report['model']['parameters']:,} parameters",
            f"classes ({len(self.labels)})": _listed(self.labels),
            "images": ", ".join(f"{count:,} {name}" for name, count in report["data"]["images"].items() if count),
            "epochs": f"{report['training']['epochs']:,} in {report['training']['seconds']:.1f} s",
            f"{subset} accuracy": f"{accuracy} on {scores['support']:,} images",
            "mean class accuracy": f"{scores['mean_class_accuracy']:.3f}",
        }
        cells = "".join(
            f'<tr><th style="text-align: left; white-space: nowrap">{name}</th>'
            f'<td style="text-align: left; overflow-wrap: anywhere">{html.escape(shown(value))}</td></tr>'
            for name, value in rows.items()
        )
        picture = io.BytesIO()
        self.plot().savefig(picture, format="png", dpi=72)
        data = base64.b64encode(picture.getvalue()).decode()
        title = html.escape(f"Loss and accuracy over the epochs; {subset} accuracy {accuracy}")
        return (
            f"<table>{cells}</table>"
            f'<img src="data:image/png;base64,{data}" alt="{title}" style="max-width: 100%; width: 480px">'
        )


def _listed(labels: list[str]) -> str:
    more = len(labels) - _MAX_CLASSES
    return ", ".join(labels[:_MAX_CLASSES]) + (f" and {more:,} more" if more > 0 else "")
