from conftest import PROJECT, Command
from stridednet.conv2d.measured import MeasuredClaim, read_measured
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.sweeps.claims import verdict
from stridednet.sweeps.plan import SweepPlan, builtin_plans
from stridednet.sweeps.statistics import Difference

CLAIMS = {claim.name: claim for claim in read_measured()}


def plan(claim: MeasuredClaim) -> SweepPlan:
    return SweepPlan.read(claim.name)


def test_every_sweep_file_was_measured_as_it_is_now() -> None:
    assert sorted(CLAIMS) == builtin_plans()
    for claim in CLAIMS.values():
        assert (claim.claim, claim.parameter, claim.recipe) == (
            plan(claim).claim,
            plan(claim).parameter,
            plan(claim).recipe,
        )
        found = {(row.data, row.variant): row.expected for row in claim.measurements}
        assert {data for data, _ in found} == {"four classes", "ten classes"}
        assert {variant for (_, variant), expected in found.items() if expected} == set(plan(claim).expect)
        assert all(expected == plan(claim).expect.get(variant, "") for (_, variant), expected in found.items())


def test_verdicts_follow_from_the_numbers() -> None:
    for claim in CLAIMS.values():
        for row in claim.measurements:
            assert row.low <= row.difference <= row.high
            assert row.seeds >= 5
            assert abs(row.accuracy - row.base_accuracy - row.difference) < 0.002
            if row.expected:
                found = Difference(row.difference, row.low, row.high, 0.0, row.seeds)
                assert row.verdict == verdict(plan(claim).expect[row.variant], found)


def test_each_parameter_that_can_be_varied_has_an_answer() -> None:
    answered = {
        parameter.name for parameter in PARAMETERS if any(claim.about(parameter.name) for claim in CLAIMS.values())
    }
    assert answered == {parameter.name for parameter in PARAMETERS}
    assert [row.variant for row in CLAIMS["left_alone"].about("bias_constraint")] == 2 * [
        "model.bias_constraint=non_neg"
    ]


def test_the_program_that_measures_them_explains_itself(warm_python: Command) -> None:
    program = PROJECT / "benchmarks" / "measure_claims.py"
    done = warm_python(program, "--help")
    assert done.returncode == 0, done.stderr
    assert "If it is interrupted, the same command continues." in done.stdout
