"""The tutorial's claims, measured by sweeps; ``benchmarks/measure_claims.py`` writes the numbers."""

import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

Effect = Literal["higher", "lower", "same", "undecided"]  # as in `stridednet.sweeps.effect`


@dataclass(frozen=True)
class Measurement:
    """One variant compared with its claim's base on one data set. Accuracies are fractions, so 0.01 is one point.

    Intervals are simultaneous 95% intervals for all variants of a sweep. Ratios are variant divided by base, medians
    over pairs of trials on the same machine.
    """

    data: str  # name of the data set, such as "four classes"
    variant: str  # such as "model.stem_kernel=7"
    expected: str  # accuracy according to the claim: higher, lower, same, not lower; empty if the claim is silent
    verdict: str  # holds, does not hold, undecided; empty without `expected`
    effect: Effect
    within_margin: bool  # whether the difference is certainly smaller than the claim's margin
    accuracy: float
    difference: float  # accuracy minus the base's, mean over the pictures
    low: float  # limits of its interval
    high: float
    loss_difference: float  # the same for the log loss
    loss_low: float
    loss_high: float
    trials: int  # trainings of the variant
    pictures: int
    parameter_ratio: float
    time_ratio: float | None = None  # of training; None if no pair of trials ran on the same machine
    predict_ratio: float | None = None
    multiply_add_ratio: float | None = None  # None if the cost of a layer is unknown


@dataclass(frozen=True)
class MeasuredSweep:
    """The sweep of a claim on one data set."""

    data: str
    base_accuracy: float
    seconds: float  # training time of all trials
    machines: tuple[str, ...]
    date: str  # of the last trial
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class MeasuredClaim:
    """A claim, the sweeps that test it, and the results; there are none if it has not been measured yet."""

    name: str  # of the built-in sweep plan
    claim: str
    parameter: str  # parameter of Conv2D; empty if the claim concerns something else
    recipe: str
    base: tuple[str, ...]  # settings that differ from the recipe, and the varied settings' values in the base
    margin: float  # differences in accuracy up to this size count as none
    sweeps: tuple[MeasuredSweep, ...]

    @property
    def command(self) -> str:
        """The command that repeats the sweep on your own pictures."""
        return f"stridednet sweep pictures --plan {self.name}"

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The measurements on all data sets."""
        return tuple(row for sweep in self.sweeps for row in sweep.measurements)

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on the whole claim, by data set: holds, holds in part, does not hold, undecided.

        It is undecided as long as one of the expectations is.
        """
        return {
            sweep.data: _together([row.verdict for row in sweep.measurements if row.verdict]) for sweep in self.sweeps
        }

    def about(self, parameter: str) -> tuple[Measurement, ...]:
        """Return the measurements that concern a parameter of `Conv2D`.

        These are all measurements if the claim is about the parameter, else the variants that change it.
        """
        if self.parameter == parameter:
            return self.measurements
        return tuple(
            found for found in self.measurements if found.variant.partition("=")[0].rpartition(".")[2] == parameter
        )


def _together(verdicts: list[str]) -> str:
    found = set(verdicts)
    if len(found) == 1:
        return verdicts[0]
    return "holds in part" if found == {"holds", "does not hold"} else "undecided"


def importance(rows: tuple[Measurement, ...]) -> tuple[int, float, float]:
    """Return a sort key for what was measured: the smallest is that of what matters most.

    First come certain effects on accuracy, largest first; then all that is measured, by its effect on training time;
    last what is not measured.

    Args:
        rows: The measurements of a parameter or of a variant.
    """
    certain = [abs(row.difference) for row in rows if row.effect in ("higher", "lower")]
    costs = [abs(math.log(row.time_ratio)) for row in rows if row.time_ratio]
    group = 0 if certain else 1 if rows else 2
    return group, -max(certain, default=0.0), -max(costs, default=0.0)


def _read(table: dict[str, Any]) -> MeasuredClaim:
    sweeps = tuple(_read_sweep(each) for each in table.get("sweeps", ()))
    return MeasuredClaim(**{**table, "base": tuple(table["base"]), "sweeps": sweeps})


def _read_sweep(table: dict[str, Any]) -> MeasuredSweep:
    rows = tuple(Measurement(data=table["data"], **row) for row in table["measurements"])
    return MeasuredSweep(**{**table, "machines": tuple(table["machines"]), "measurements": rows})


def read_measured() -> tuple[MeasuredClaim, ...]:
    """Return all claims, in the order of ``measured.toml``."""
    text = (resources.files("stridednet") / "conv2d" / "measured.toml").read_text(encoding="utf-8")
    return tuple(map(_read, tomllib.loads(text)["claim"]))
