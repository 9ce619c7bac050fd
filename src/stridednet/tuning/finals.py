"""The trainings on all training pictures, as `stridednet.train` does them, and their comparison on test."""

from pathlib import Path

from stridednet.errors import FigureError
from stridednet.evaluation.comparison import Comparison, compare
from stridednet.pipeline import follow, resume
from stridednet.recipe import Recipe
from stridednet.resolve import Resolution
from stridednet.run import Run
from stridednet.training.observer import Observer


def final_run(folder: Path, recipe: Recipe, observer: Observer) -> tuple[Run, list[str]]:
    """Train on all training pictures, or continue or open the run of an earlier call.

    Args:
        folder: The run directory.
        recipe: The recipe.
        observer: Is notified of messages and progress.

    Returns:
        The run, and the problems of its figures.
    """
    run = Run(folder, trust=True)  # the recipe is the user's
    if run.report_file.is_file():
        return Run.open(folder, trust=True), []
    try:
        if run.recipe_file.is_file():
            result = resume(folder, observer=observer, trust=True)
        else:
            result = follow(Resolution(recipe), out=folder, observer=observer)
    except FigureError as error:
        return error.result.run, [str(error)]
    return result.run, []


def compared_on_test(tuned: Run, default: Run) -> Comparison:
    """Return how two runs compare on the test subset that they share; the first one is the tuned run."""
    return compare(tuned.evaluate(), default, lambda _: None)
