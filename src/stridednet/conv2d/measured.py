"""The tutorial's claims, measured by sweeps; ``benchmarks/measure_claims.py`` writes the numbers."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One variant compared with its claim's base on one data set. Accuracies are fractions, so 0.01 is one point."""

    data: str  # name of the data set, such as "four classes"
    variant: str  # such as "model.stem_kernel=7"
    expected: str  # accuracy according to the claim: higher, lower, same, not lower; empty if the claim is silent
    verdict: str  # holds, does not hold, undecided; empty without `expected`
    accuracy: float
    base_accuracy: float
    difference: float  # accuracy minus base accuracy, mean over the seeds
    low: float  # bounds of its simultaneous 95% interval
    high: float
    seeds: int
    time_ratio: float  # variant divided by base, as are the other ratios
    parameter_ratio: float
    multiply_add_ratio: float


@dataclass(frozen=True)
class MeasuredClaim:
    """A claim, the sweep that tests it, and the results."""

    name: str  # of the built-in sweep plan
    claim: str
    parameter: str  # parameter of Conv2D; empty if the claim concerns something else
    recipe: str
    base: tuple[str, ...]  # settings that differ from the recipe, and the varied settings' values in the base
    seconds: float  # training time of all trials
    measurements: tuple[Measurement, ...]

    @property
    def command(self) -> str:
        """The command that repeats the sweep on your own pictures."""
        return f"stridednet sweep pictures --plan {self.name}"

    def about(self, parameter: str) -> tuple[Measurement, ...]:
        """Return the measurements that concern a parameter of `Conv2D`.

        These are all measurements if the claim is about the parameter, else the variants that change it.
        """
        if self.parameter == parameter:
            return self.measurements
        return tuple(
            found for found in self.measurements if found.variant.partition("=")[0].rpartition(".")[2] == parameter
        )


def _read(table: dict[str, Any]) -> MeasuredClaim:
    measurements = tuple(Measurement(**row) for row in table["measurements"])
    return MeasuredClaim(**{**table, "base": tuple(table["base"]), "measurements": measurements})


def read_measured() -> tuple[MeasuredClaim, ...]:
    """Return all claims, in the order of ``measured.toml``."""
    text = (resources.files("stridednet") / "conv2d" / "measured.toml").read_text(encoding="utf-8")
    return tuple(map(_read, tomllib.loads(text)["claim"]))
