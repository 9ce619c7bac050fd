"""What sweeps found of the tutorial's claims. The numbers are in ``measured.toml``, which a program writes."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One variant against the base of its claim, on one data set; differences are shares, so 0.01 is a point."""

    data: str  # "four classes"
    variant: str  # "model.stem_kernel=7"
    expected: str  # what the claim says of its accuracy: higher, lower, same, not lower; or nothing
    verdict: str  # holds, does not hold, undecided; or nothing
    accuracy: float
    base_accuracy: float
    difference: float
    low: float
    high: float
    seeds: int
    time_ratio: float
    parameter_ratio: float
    multiply_add_ratio: float


@dataclass(frozen=True)
class MeasuredClaim:
    """A sweep file with what came of it."""

    name: str  # of the built-in sweep plan
    claim: str
    parameter: str  # of Conv2D; empty where it is about something else
    recipe: str
    base: tuple[str, ...]  # settings that differ from the recipe's, and those that are varied
    seconds: float  # of all trainings
    measurements: tuple[Measurement, ...]

    @property
    def command(self) -> str:
        """How to measure it again, on pictures of one's own."""
        return f"stridednet sweep pictures --plan {self.name}"

    def about(self, parameter: str) -> tuple[Measurement, ...]:
        """Return what it measured of a parameter of `Conv2D`: all of it, or the variants that change an argument."""
        if self.parameter == parameter:
            return self.measurements
        return tuple(
            found for found in self.measurements if found.variant.partition("=")[0].rpartition(".")[2] == parameter
        )


def _read(table: dict[str, Any]) -> MeasuredClaim:
    measurements = tuple(Measurement(**row) for row in table["measurements"])
    return MeasuredClaim(**{**table, "base": tuple(table["base"]), "measurements": measurements})


def read_measured() -> tuple[MeasuredClaim, ...]:
    """Return all claims, in the order of the file."""
    text = (resources.files("stridednet") / "conv2d" / "measured.toml").read_text(encoding="utf-8")
    return tuple(map(_read, tomllib.loads(text)["claim"]))
