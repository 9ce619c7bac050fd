"""What a tuning found, as numbers and in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.evaluation.comparison import Comparison as TestComparison
from stridednet.evaluation.intervals import wilson
from stridednet.recipe import Recipe
from stridednet.run import Run
from stridednet.sweeps.axes import Variant, text_of
from stridednet.sweeps.effect import points
from stridednet.sweeps.out_of_fold import Difference
from stridednet.tuning.decision import Promise
from stridednet.tuning.screening import Screened


@dataclass(frozen=True)
class Confirmed:
    """The best candidate, measured again on pictures that had no part in the choice.

    Args:
        epochs: Number of epochs of its trainings.
        whole: Number of epochs of a whole training.
        difference: Its accuracy minus that of the default.
        loss: Its log loss minus that of the default.
        promise: What it promises; None if it is not certain enough to be adopted.
    """

    epochs: int
    whole: int
    difference: Difference
    loss: Difference
    promise: Promise | None


@dataclass(frozen=True)
class TuneResult:
    """A finished tuning.

    Args:
        folder: Its folder.
        base: The default recipe for these pictures.
        recipe: The recipe to use: with the changes, or the default.
        tried: The changes that were tried, those that matter most first.
        left_out: Why others were not tried, by name.
        screened: What short trainings said.
        confirmed: What was measured again; None if no change was ahead of the default in the screening.
        default_run: The default, trained on all training pictures.
        tuned_run: The changed recipe, trained in the same way; None if nothing was found to be worth changing.
        test: Both on the test subset; None without a changed recipe.
        seconds: Duration, that of interrupted calls included.
    """

    folder: Path
    base: Recipe
    recipe: Recipe
    tried: tuple[Variant, ...]
    left_out: Mapping[str, str]
    screened: Screened
    confirmed: Confirmed | None
    default_run: Run
    tuned_run: Run | None
    test: TestComparison | None
    seconds: float

    @property
    def sentence(self) -> str:
        """What was changed, with the promised and the measured gain; or that nothing is worth changing."""
        winner, confirmed, test = self.screened.winner, self.confirmed, self.test
        if winner is not None and confirmed is not None and confirmed.promise is not None and test is not None:
            promise = confirmed.promise
            changed = "; ".join(
                f"{key}: {text_of(value)} instead of {text_of(self.base.value_of(key))}"
                for key, value in winner.settings
            )
            right, before = test.both + test.only_first, test.both + test.only_second
            return (
                f"{changed}. Promised gain: {_gain(promise.gain, promise.low, promise.high)}, measured out of fold. "
                f"On {test.pictures:,} test pictures: accuracy {right / test.pictures:.3f} instead of "
                f"{before / test.pictures:.3f}, a gain of {_gain(test.difference, *test.interval)}"
            )
        return f"nothing was found to be worth changing: {self._why()}. {self._default()}"

    def _why(self) -> str:
        tried, winner = f"{len(self.tried)} changes", self.screened.winner
        if winner is None or self.confirmed is None:
            return f"none of {tried} stayed ahead of the default"
        found = self.confirmed.difference
        return (
            f"the best of {tried}, {winner.name}, changes accuracy by {_gain(found.mean, found.low, found.high)}, "
            "measured out of fold"
        )

    def _default(self) -> str:
        report = self.default_run.report["report"]
        accuracy, count = report["accuracy"], report["support"]
        low, high = wilson(round(accuracy * count), count)
        return f"The default has an accuracy of {accuracy:.3f} ({low:.3f} to {high:.3f}) on {count:,} test pictures"

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``tune.json``."""
        confirmed, test, winner = self.confirmed, self.test, self.screened.winner
        return {
            "dataset": self.base.data.dataset,
            "seconds": round(self.seconds, 1),
            "base": self.base.model_dump(mode="json"),
            "changes": dict(winner.settings) if winner is not None and self.tuned_run is not None else {},
            "candidates": [
                {"name": one.name, "settings": dict(one.settings), "rounds": self._measured(one.name)}
                for one in (Variant(), *self.tried, *self._combinations())
            ],
            "left_out": dict(self.left_out),
            "confirmation": None if confirmed is None or winner is None else _confirmation(winner, confirmed),
            "adopted": self.tuned_run is not None,
            "test": None if test is None else test.as_dict(),
            "default_run": self.default_run.folder.name,
            "tuned_run": None if self.tuned_run is None else self.tuned_run.folder.name,
            "sentence": self.sentence,
        }

    def _combinations(self) -> list[Variant]:
        """Return what the last round tried besides single changes."""
        return [one for one in self.screened.combinations if one not in self.tried]

    def _measured(self, name: str) -> list[dict[str, Any]]:
        return [
            {
                "round": number,
                "epochs": one.epochs,
                "folds": one.folds,
                "place": place,
                "accuracy": score.accuracy,
                "log_loss": score.loss,
                "seconds": score.seconds,
            }
            for number, one in enumerate(self.screened.rounds, start=1)
            for place, score in enumerate(one.scores, start=1)
            if score.name == name
        ] + [
            {"round": number, "epochs": one.epochs, "folds": one.folds, "error": one.failures[name]}
            for number, one in enumerate(self.screened.rounds, start=1)
            if name in one.failures
        ]


def _confirmation(winner: Variant, confirmed: Confirmed) -> dict[str, Any]:
    found, loss, promise = confirmed.difference, confirmed.loss, confirmed.promise
    one_sided, _ = found.interval(2 * found.level - 1)
    return {
        "name": winner.name,
        "epochs": confirmed.epochs,
        "whole_training": confirmed.whole,
        "trainings": found.count,
        "pictures": found.pictures,
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "one_sided_low": one_sided,
        "loss_difference": loss.mean,
        "loss_low": loss.low,
        "loss_high": loss.high,
        "promised": None if promise is None else [promise.gain, promise.low, promise.high],
    }


def _gain(mean: float, low: float, high: float) -> str:
    return f"{points(mean, sign=True)} points (interval {points(low, sign=True)} to {points(high, sign=True)})"
