import pytest

from stridednet.conv2d.measured import MeasuredClaim, MeasuredSweep, Measurement
from stridednet.pages.sentences import disagreement, sentence, wordings
from stridednet.sweeps.plan import SweepPlan, builtin_plans


def _row(data: str, variant: str, effect: str, points: float, time: float | None = 1.0, **more: object) -> Measurement:
    fields = {
        "expected": "lower",
        "verdict": "",
        "within_margin": effect == "same",
        "accuracy": 0.9,
        "low": points / 100 - 0.001,
        "high": points / 100 + 0.001,
        "loss_difference": 0.0,
        "loss_low": 0.0,
        "loss_high": 0.0,
        "trials": 8,
        "pictures": 100,
        "parameter_ratio": 1.0,
    }
    row = fields | more | {"difference": points / 100, "time_ratio": time, "effect": effect}
    return Measurement(data=data, variant=variant, **row)  # type: ignore[arg-type]


def _claim(*rows: Measurement, name: str = "kernel_size") -> MeasuredClaim:
    data_sets = dict.fromkeys(row.data for row in rows)
    sweeps = tuple(
        MeasuredSweep(data, 0.9, 1.0, ("a",), "2026-11-30", tuple(row for row in rows if row.data == data))
        for data in data_sets
    )
    return MeasuredClaim(name, "Use 3x3.", "kernel_size", "fast", (), 0.01, sweeps)


FIVE, SEVEN = "model.stem_kernel=5", "model.stem_kernel=7"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "Not measured yet."),
        (
            [_row("four classes", SEVEN, "same", 0.1, 0.94), _row("clothing", SEVEN, "same", -0.2, 0.94)],
            "7x7 instead of 3x3 in the first layer: the same accuracy within 1 point on both data sets; training takes "
            "6% less time.",
        ),
        (
            [_row("four classes", FIVE, "lower", -5.24, 2.5), _row("four classes", SEVEN, "lower", -5.18, 1.01)],
            "5x5 or 7x7 instead of 3x3 in the first layer: 5.2 points less accurate on four classes; training takes "
            "2.5 times as long (5x5), the same time (7x7).",
        ),
        (
            [_row("clothing", FIVE, "undecided", 0.5, 1.5, expected="not lower", verdict="holds")],
            "5x5 instead of 3x3 in the first layer: no loss of more than 1 point on clothing; training takes "
            "50% more time.",
        ),
        (
            [
                _row("four classes", FIVE, "higher", 0.4, None, within_margin=True),
                _row("clothing", FIVE, "undecided", 1),
            ],
            "5x5 instead of 3x3 in the first layer: 0.4 points more accurate, which is within 1 point, on four "
            "classes, accuracy undecided on clothing; training takes the same time.",
        ),
    ],
)
def test_the_sentence_follows_from_the_numbers(rows: list[Measurement], text: str) -> None:
    assert sentence(_claim(*rows)) == text


def test_a_sentence_says_where_the_claim_is_wrong() -> None:
    rows = [
        _row("four classes", FIVE, "same", 0.0, verdict="does not hold"),
        _row("clothing", FIVE, "same", 0.0, verdict="does not hold"),
        _row("clothing", SEVEN, "higher", 3.0, verdict="does not hold"),
        _row("four classes", SEVEN, "lower", -3.0, verdict="holds"),
    ]
    assert disagreement(_claim(*rows)) == (
        'The tutorial says: "Use 3x3." Measured: this does not hold for 5x5 on four classes and clothing; for 7x7 on '
        "clothing."
    )
    assert disagreement(_claim(rows[-1])) == ""


@pytest.mark.parametrize("name", builtin_plans())
def test_every_variant_of_every_plan_has_words(name: str) -> None:
    variants = {variant.name for variant in SweepPlan.read(name).design("digits").variants} - {"base"}
    wording = wordings()[name]
    assert set(wording.variants) == variants
    assert wording.frame.count("{}") == 1
    assert set(wordings()) == set(builtin_plans())
