import pytest

from conftest import PROJECT, Command
from stridednet.conv2d.measured import MeasuredClaim, MeasuredSweep, Measurement, importance, read_measured
from stridednet.sweeps.plan import SweepPlan, builtin_plans

CLAIMS = {claim.name: claim for claim in read_measured()}


def measurement(**changed: object) -> Measurement:
    fields = {
        "data": "four classes",
        "variant": "model.stem_kernel=7",
        "expected": "",
        "verdict": "",
        "effect": "undecided",
        "within_margin": False,
        "accuracy": 0.9,
        "difference": 0.0,
        "low": -0.02,
        "high": 0.02,
        "loss_difference": 0.0,
        "loss_low": 0.0,
        "loss_high": 0.0,
        "trials": 8,
        "pictures": 100,
        "parameter_ratio": 1.0,
        "time_ratio": 1.0,
    }
    return Measurement(**(fields | changed))  # type: ignore[arg-type]


def claim_with(*verdicts: str) -> MeasuredClaim:
    rows = tuple(measurement(variant=f"epochs={place}", verdict=verdict) for place, verdict in enumerate(verdicts))
    sweep = MeasuredSweep("four classes", 0.9, 1.0, ("a",), "2026-11-30", rows)
    return MeasuredClaim("strides", "a.", "strides", "fast", (), 0.01, (sweep,))


def test_every_plan_is_there_as_it_is_now() -> None:
    assert sorted(CLAIMS) == builtin_plans()
    for claim in CLAIMS.values():
        plan = SweepPlan.read(claim.name)
        assert (claim.claim, claim.parameter, claim.recipe) == (plan.claim, plan.parameter, plan.recipe)
        assert claim.margin == plan.margin
        variants = {variant.name for variant in plan.design("digits").variants}
        for sweep in claim.sweeps:
            assert {row.variant for row in sweep.measurements} <= variants
            assert all(row.expected == plan.expect.get(row.variant, "") for row in sweep.measurements)


def test_effects_and_verdicts_follow_from_the_numbers() -> None:
    for claim in CLAIMS.values():
        for row in claim.measurements:
            assert row.low <= row.difference <= row.high
            assert row.trials >= 2
            assert {"higher": row.low > 0, "lower": row.high < 0}.get(row.effect, row.low <= 0 <= row.high)
            if row.within_margin:
                assert abs(row.difference) < claim.margin
            if row.effect in ("same", "undecided"):
                assert row.within_margin == (row.effect == "same")
            judged = {
                "": "",
                "higher": {"higher": "holds", "undecided": "undecided"}.get(row.effect, "does not hold"),
                "lower": {"lower": "holds", "undecided": "undecided"}.get(row.effect, "does not hold"),
                "same": "holds" if row.within_margin else {"undecided": "undecided"}.get(row.effect, "does not hold"),
            }
            if row.expected in judged:
                assert row.verdict == judged[row.expected]


def test_each_parameter_has_a_plan_that_varies_it() -> None:
    # Written by hand: the parameters that a plan is about, and those that `left_alone` varies.
    about = {claim.parameter for claim in CLAIMS.values()} - {""}
    varied = {key.rpartition(".")[2] for key in SweepPlan.read("left_alone").vary}
    assert len(about) == 11
    assert varied == {
        "bias_initializer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    }


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["holds"], "holds"),
        (["holds", "holds"], "holds"),
        (["does not hold", "does not hold", ""], "does not hold"),
        (["holds", "does not hold"], "holds in part"),
        (["holds", "undecided"], "undecided"),
        (["does not hold", "undecided"], "undecided"),
    ],
)
def test_the_verdict_on_a_claim_is_that_of_all_its_expectations(verdicts: list[str], together: str) -> None:
    assert claim_with(*verdicts).verdicts == {"four classes": together}


def test_a_claim_is_about_the_parameter_that_its_variants_change() -> None:
    claim = claim_with("holds")
    assert claim.about("strides") == claim.measurements
    assert claim.about("epochs") == claim.measurements  # by the variant's key
    assert claim.about("padding") == ()


def test_certain_effects_matter_most_and_then_costs() -> None:
    large = (measurement(effect="lower", difference=-0.05), measurement(effect="higher", difference=0.01))
    small = (measurement(effect="higher", difference=0.02, time_ratio=9.0),)
    slow, fast, none = (measurement(time_ratio=1.9),), (measurement(effect="same", time_ratio=0.5),), ()
    # |log 0.5| = 0.69 is more than |log 1.9| = 0.64.
    assert sorted([none, slow, small, fast, large], key=importance) == [large, small, fast, slow, none]


def test_the_program_that_measures_them_explains_itself(warm_python: Command) -> None:
    program = PROJECT / "benchmarks" / "measure_claims.py"
    done = warm_python(program, "--help")
    assert done.returncode == 0, done.stderr
    assert "interrupted, the same command continues" in done.stdout
