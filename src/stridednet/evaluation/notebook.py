"""What a notebook shows of a run: a table, and figures that are displayed without pyplot."""

import base64
import html
import io

from matplotlib.figure import Figure

from stridednet.data.tree import shown
from stridednet.run_directory import RunDirectory

_MAX_CLASSES = 12  # names that are listed
_DPI = 72  # pixels per inch at which a figure is displayed; it is drawn with twice as many


class DisplayedFigure(Figure):
    """A figure that a notebook displays as it is; it would display others only where `matplotlib.pyplot` is used."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the figure as PNG, and the size at which it is displayed; called by IPython."""
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=2 * _DPI)
        width, height = (round(inches * _DPI) for inches in self.get_size_inches())
        return picture.getvalue(), {"width": width, "height": height}


def run_as_html(run: RunDirectory, figure: DisplayedFigure) -> str:
    """Return a table of a finished run and its figure, without references to other files.

    Args:
        run: A finished run.
        figure: Loss and accuracy over its epochs.

    Raises:
        RunError: A file of the run cannot be read.
    """
    report = run.report
    scores, subset = report["report"], report["report_on"]
    accuracy = f"{scores['accuracy']:.3f}"
    rows = {
        "run": str(run.folder),
        "data set": report["dataset"],
        "recipe": f"{report['recipe']}, seed {report['seed']}",
        "model": f"{report['model']['name']}, {report['model']['parameters']:,} parameters",
        f"classes ({len(run.labels):,})": _listed(run.labels),
        "images": ", ".join(f"{count:,} {name}" for name, count in report["data"]["images"].items() if count),
        "epochs": f"{report['training']['epochs']:,} in {report['training']['seconds']:.1f} s",
        f"{subset} accuracy": f"{accuracy} on {scores['support']:,} images",
        "mean per-class accuracy": f"{scores['mean_class_accuracy']:.3f}",
    }
    cells = "".join(
        f'<tr><th style="text-align: left; white-space: nowrap">{name}</th>'
        f'<td style="text-align: left; overflow-wrap: anywhere">{html.escape(shown(value))}</td></tr>'
        for name, value in rows.items()
    )
    picture, _ = figure._repr_png_()
    data = base64.b64encode(picture).decode()
    title = html.escape(f"Loss and accuracy over the epochs; {subset} accuracy {accuracy}")
    return (
        f"<table>{cells}</table>"
        f'<img src="data:image/png;base64,{data}" alt="{title}" '
        'style="display: block; margin-top: 8px; width: 480px; max-width: 100%">'
    )


def _listed(labels: list[str]) -> str:
    more = len(labels) - _MAX_CLASSES
    return ", ".join(labels[:_MAX_CLASSES]) + (f" and {more:,} more" if more > 0 else "")
