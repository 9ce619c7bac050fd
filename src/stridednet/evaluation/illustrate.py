"""Write what shows the numbers of a training: its figure, its page and its model card."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stridednet.errors import one_line
from stridednet.evaluation.card import model_card
from stridednet.evaluation.figures import plot_history
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.report_page import report_page
from stridednet.run_directory import RunDirectory
from stridednet.storage import written_whole


def illustrate(run: RunDirectory, material: Material, plot: Path | None = None) -> list[str]:
    """Write ``plot.png``, ``report.html`` and ``README.md`` of a run, and say which of them are missing and why.

    None of them stops the others or the training, since they depend on fonts, on the files of the data set and on
    packages that may not be installed.

    Args:
        run: The run directory.
        material: The training and what its model says about pictures whose classes are known.
        plot: An additional file for the figure.
    """
    writers: dict[str, Callable[[], None]] = {
        "its figure": partial(_draw, material, run.plot_path),
        "report.html": lambda: run.write_page(report_page(material)),
        "README.md": lambda: run.write_card(model_card(run.folder.name, material)),
    }
    if plot is not None:
        writers["plot"] = partial(_draw, material, plot)
    problems = []
    for what, write in writers.items():
        try:
            write()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the training must not be lost
            problems.append(f"{what} is missing: {one_line(error)}")
    return problems


def _draw(material: Material, path: Path) -> None:
    with written_whole(path) as beside:
        plot_history(material.history, material.report["curve_on"], beside)
