"""From archives of outcomes to measured.toml, and from there to the figures and pages that show it."""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

import stridednet
from outcome_archive import Archive, Archived
from stridednet.conv2d.measured import MeasuredClaim, MeasuredSweep, Measurement
from stridednet.sweeps.axes import text_of
from stridednet.sweeps.claims import verdict
from stridednet.sweeps.comparison import Comparison, compare
from stridednet.sweeps.out_of_fold import LEVEL, Difference
from stridednet.sweeps.plan import SweepPlan
from stridednet.sweeps.sequential import level_of_look
from stridednet.sweeps.trial import Outcome

MEASURED = Path(stridednet.__file__).parent / "conv2d" / "measured.toml"
DATA_SETS = ("four", "clothing", "101")  # folders of archives, in the order of the pages
_HEAD = "# Written by benchmarks/measure_claims.py, and read by measured.py.\n\n"


def written(archives: Path, plans: Mapping[str, SweepPlan], file: Path | None) -> Iterator[Path]:
    """Write measured.toml from all archives, and the pages if it is the package's; yield what is written."""
    claims = [claim_of(name, plan, archives) for name, plan in plans.items()]
    target = file or MEASURED
    target.write_text(_HEAD + tomli_w.dumps({"claim": [_table(claim) for claim in claims]}), encoding="utf-8")
    yield target
    if file is None:
        from measured_pages import write_pages

        yield from write_pages()


def claim_of(name: str, plan: SweepPlan, archives: Path) -> MeasuredClaim:
    """Return the claim of a plan with the results in its archives, of which there may be none."""
    base = plan.design(None).base
    paths = [archives / data / f"{name}.jsonl.xz" for data in DATA_SETS]
    found = [Archive.read(path) for path in paths if path.exists()]
    return MeasuredClaim(
        name=name,
        claim=plan.claim,
        parameter=plan.parameter,
        recipe=plan.recipe,
        base=tuple(
            f"{key}={text_of(plan.base.get(key, base.value_of(key)))}"
            for key in dict.fromkeys([*plan.base, *plan.vary])
        ),
        margin=plan.margin,
        sweeps=tuple(sweep for sweep in (sweep_of(archive, plan) for archive in found) if sweep.measurements),
    )


def sweep_of(archive: Archive, plan: SweepPlan) -> MeasuredSweep:
    """Return the results of an archive: a measurement for each variant that was trained twice or more."""
    header = archive.header
    outcomes = [one.outcome for one in archive.outcomes]
    level = level_of_look(max(len(header.variants) - 1, 1)) if header.sequential else LEVEL
    base, *others = compare(header.variants, outcomes, margin=plan.margin, level=level)
    rows = [_measurement(archive, one, plan) for one in others if one.difference is not None and one.count > 1]
    return MeasuredSweep(
        data=header.data,
        base_accuracy=round(base.accuracy, 4),
        seconds=round(sum(outcome.seconds for outcome in outcomes), 1),
        machines=tuple(machine.name for machine in archive.machines),
        date=max((machine.date for machine in archive.machines), default=""),
        measurements=tuple(rows),
    )


def _measurement(archive: Archive, found: Comparison, plan: SweepPlan) -> Measurement:
    name = found.variant.name
    difference, loss = found.difference, found.loss_difference
    if difference is None or loss is None:
        raise ValueError(f"{name} was not compared")
    expected = plan.expect.get(name)
    times = next((one for one in archive.times if one.variant == name), None)
    return Measurement(
        data=archive.header.data,
        variant=name,
        expected=expected or "",
        verdict=verdict(expected, difference, plan.margin) if expected else "",
        effect=found.effect,
        within_margin=difference.same_within(plan.margin),
        accuracy=round(found.accuracy, 4),
        **_rounded("", difference),
        **_rounded("loss_", loss),
        trials=found.count,
        pictures=difference.pictures,
        parameter_ratio=round(found.parameter_ratio, 3),
        time_ratio=times.training if times else ratio(archive, name, lambda outcome: outcome.seconds),
        predict_ratio=times.prediction if times else ratio(archive, name, lambda outcome: outcome.predict_ms),
        multiply_add_ratio=None if found.multiply_add_ratio is None else round(found.multiply_add_ratio, 3),
    )


def ratio(archive: Archive, variant: str, cost: Callable[[Outcome], float]) -> float | None:
    """Return the median ratio of a variant's cost to the base's, over pairs on the same machine and cores."""
    base = {one.place[1:]: one for one in archive.outcomes if one.outcome.variant == "base"}
    own = [one for one in archive.outcomes if one.outcome.variant == variant and one.place[1:] in base]
    pairs = [(one, base[one.place[1:]]) for one in own if _alike(one, base[one.place[1:]])]
    ratios = [cost(one.outcome) / cost(other.outcome) for one, other in pairs if cost(other.outcome)]
    return round(statistics.median(ratios), 3) if ratios else None


def _alike(one: Archived, other: Archived) -> bool:
    return one.machine == other.machine and one.outcome.cores == other.outcome.cores


def _rounded(prefix: str, found: Difference) -> dict[str, Any]:
    names = (f"{prefix}difference", f"{prefix}low", f"{prefix}high")
    # Adding 0.0 turns -0.0 into 0.0.
    return {name: round(value, 5) + 0.0 for name, value in zip(names, (found.mean, found.low, found.high), strict=True)}


def _table(claim: MeasuredClaim) -> dict[str, Any]:
    """Return the claim as TOML takes it: without what is None, and without the data set of each row."""
    table = dataclasses.asdict(claim)
    for sweep in table["sweeps"]:
        sweep["measurements"] = [
            {key: value for key, value in row.items() if value is not None and key != "data"}
            for row in sweep["measurements"]
        ]
    return table
