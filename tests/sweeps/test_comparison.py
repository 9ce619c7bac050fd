import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stridednet.sweeps.axes import Variant
from stridednet.sweeps.comparison import Comparison, compare
from stridednet.sweeps.picture_results import PictureResults
from stridednet.sweeps.report import table_rows
from stridednet.sweeps.trial import Outcome

BASE, OTHER = Variant(), Variant((("model.stem_kernel", 3),))


def outcomes(
    base: list[list[int]], other: list[list[int]], seconds: tuple[float, float] = (10.0, 8.0), pictures: int = 1000
) -> list[Outcome]:
    """Return the outcomes of one repetition whose folds have these wrong answers."""
    shared = {
        "train_images": 3000,
        "val_images": pictures,
        "predict_ms": 1.0,
        "parameters": 100,
        "multiply_adds": 1000,
        "cores": 1,
    }
    found = []
    for variant, wrong, time in ((BASE, base, seconds[0]), (OTHER, other, seconds[1])):
        for fold, places in enumerate(wrong):
            correct = np.ones(pictures, np.bool_)
            correct[places] = False
            losses = np.where(correct, 0.25, 2.0).astype(np.float16)
            rows = np.arange(fold * pictures, (fold + 1) * pictures, dtype=np.int32)
            found.append(
                Outcome(
                    variant.name,
                    0,
                    fold,
                    float(correct.mean()),
                    0.1,
                    time,
                    **shared,
                    pictures=PictureResults(rows, correct, losses),
                )
            )
    return found


def compared(base: list[list[int]], other: list[list[int]], **more: Any) -> Comparison:
    return compare((BASE, OTHER), outcomes(base, other, **more))[1]


def sentence(base: list[list[int]], other: list[list[int]], **more: Any) -> str:
    return compared(base, other, **more).sentence({"model.stem_kernel": "7"})


def few(*counts: int) -> list[list[int]]:
    return [list(range(count)) for count in counts]


def test_lower_accuracy_as_a_sentence() -> None:
    # 50, 55, 45 and 50 of 1,000 are wrong in addition to the base's 10, 10, 10 and 10: 200 of 4,000.
    text = sentence(few(10, 10, 10, 10), few(60, 65, 55, 60))
    assert re.fullmatch(
        r"model\.stem_kernel: 3 instead of 7: accuracy is lower \(-5\.0 points, interval -\d\.\d to -\d\.\d\); "
        "training takes 20% less time",
        text,
    )


def test_the_same_accuracy_as_a_sentence() -> None:
    text = sentence(few(10, 10, 10, 10), few(11, 9, 10, 10), seconds=(10.0, 10.0))
    assert re.fullmatch(
        r"model\.stem_kernel: 3 instead of 7: accuracy is the same within 1 point \(\+0\.0 points, interval -0\.\d to "
        r"\+0\.\d\); training takes the same time",
        text,
    )


def test_a_small_and_certain_difference_is_called_both() -> None:
    found = compared(few(0, 0, 0, 0), few(5, 5, 5, 5))
    assert found.effect == "lower"
    assert "accuracy is lower (same within 1 point) (-0.5 points" in found.sentence({"model.stem_kernel": "7"})


def test_what_is_not_certain_is_undecided() -> None:
    found = compared(few(10, 10, 10, 10), [[0, 1, 2], list(range(30)), [5], list(range(12))], pictures=100)
    assert found.effect == "undecided"
    text = found.sentence({"model.stem_kernel": "7"})
    assert "the effect on accuracy is undecided (-1.5 points" in text
    assert "), and no number of repetitions can resolve 1 point with these pictures; training takes" in text
    # 13 more wrong answers, and 8 fewer, of 1,600 pictures: what decides them is chance, which repetitions average out.
    more = compared(
        few(10, 10, 10, 10), [list(range(14)), list(range(2)), list(range(17)), list(range(12))], pictures=400
    )
    assert more.repetitions is not None
    assert f", and resolving 1 point takes about {more.repetitions} repetitions" in more.sentence(
        {"model.stem_kernel": "7"}
    )
    assert compare((BASE, OTHER), outcomes(few(10, 10, 10, 10), [[0, 1, 2], list(range(30)), [5], list(range(12))],
                                           pictures=100), margin=0.5)[1].effect == "same"  # fmt: skip


def test_log_loss_is_compared_as_well() -> None:
    # 1% more of the answers have a loss of 2 instead of 0.25.
    found = compared(few(10, 10), few(20, 20)).loss_difference
    assert found is not None
    assert found.mean == pytest.approx(0.01 * 1.75, rel=1e-3)


def test_one_training_has_no_interval() -> None:
    assert "accuracy changes by -1.0 points (one training of each, so no interval)" in sentence(few(10), few(20))


def test_a_failed_partner_takes_its_pair_away() -> None:
    found = outcomes(few(10, 10, 10), few(20, 20, 20))
    found[0] = Outcome("base", 0, 0, error="the loss became nan")
    base, other = compare((BASE, OTHER), found)
    assert other.difference is not None
    assert other.difference.count == 2
    assert base.failures == ("the loss became nan",)
    assert base.difference is None


def test_ratios_are_medians_over_the_pairs() -> None:
    found = compared(few(1, 1), few(1, 1), seconds=(4.0, 6.0))
    assert found.time_ratio == pytest.approx(1.5)
    assert (found.parameter_ratio, found.multiply_add_ratio, found.predict_ratio) == (1, 1, 1)


def test_times_are_only_compared_on_as_many_cores() -> None:
    found = outcomes(few(1, 1), few(1, 1), (4.0, 6.0))
    found = [replace(outcome, cores=2 if outcome.fold == 0 else 1) for outcome in found]
    found[-1] = replace(found[-1], cores=2, seconds=100.0)  # its partner was trained on one
    assert compare((BASE, OTHER), found)[1].time_ratio == pytest.approx(1.5)


def test_times_of_trials_beside_other_work_are_not_compared() -> None:
    found = [replace(outcome, cores=int(outcome.fold > 0)) for outcome in outcomes(few(1, 1), few(1, 1), (4.0, 6.0))]
    found[0] = replace(found[0], seconds=100.0)
    assert compare((BASE, OTHER), found)[1].time_ratio == pytest.approx(1.5)


def test_times_without_a_pair_on_as_many_cores_are_not_called_the_same() -> None:
    found = [
        replace(outcome, cores=1 if outcome.variant == BASE.name else 2) for outcome in outcomes(few(1, 1), few(1, 2))
    ]
    base, other = compare((BASE, OTHER), found)
    assert (other.time_ratio, other.predict_ratio) == (None, None)
    assert other.sentence({"model.stem_kernel": "7"}).endswith(
        "training times were not compared, as the numbers of cores differ"
    )
    header, base_row, other_row = table_rows((base, other))
    assert other_row[header.index("time")] == "-"
    assert (base_row[header.index("time")], base_row[header.index("effect")]) == ("-", "-")
