from pathlib import Path

import pytest

from conftest import PROJECT
from stridednet.errors import InputError
from stridednet.sweeps.plan import SweepPlan

CLAIMS = sorted((PROJECT / "examples" / "claims").glob("*.toml"))


def test_a_plan_takes_dotted_keys_with_and_without_quotes(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'claim = "small"\nseeds = 3\none_at_a_time = true\n[base]\nimage_size = 32\nmodel.stem_kernel = 3\n'
        '[vary]\nmodel.filters = [[8], [8, 16]]\n"optimizer.learning_rate" = [0.1]\n'
        '[expect]\n"model.filters=[8]" = "lower"\n'
    )
    plan = SweepPlan.read(file)
    assert (plan.claim, plan.seeds, plan.one_at_a_time, plan.recipe) == ("small", 3, True, "fast")
    assert plan.base == {"image_size": 32, "model.stem_kernel": 3}
    assert plan.vary == {"model.filters": [[8], [8, 16]], "optimizer.learning_rate": [0.1]}
    assert plan.expect == {"model.filters=[8]": "lower"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vary = 3", "'vary': input should be a valid dictionary. Received: 3"),
        ("", "'vary': field required"),
        ("seeds = 0\n[vary]\nepochs = [1]", "'seeds': input should be greater than or equal to 1. Received: 0"),
        ("[vary]\nepochs = 1", "'vary.epochs': input should be a valid list. Received: 1"),
        (
            '[vary]\nepochs = [1]\n[expect]\n"epochs=1" = "better"',
            "'expect.epochs=1': input should be 'higher', 'lower'",
        ),
        ("varry = 1\n[vary]", "'varry': extra inputs are not permitted. Received: 1"),
        ("vary", "is not a valid TOML file"),
    ],
)
def test_what_is_wrong_in_a_plan_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        SweepPlan.read(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the sweep plan .*none.toml: No such file"):
        SweepPlan.read(tmp_path / "none.toml")


@pytest.mark.parametrize("file", CLAIMS, ids=lambda file: file.stem)
def test_the_claims_of_the_tutorial_can_be_swept(file: Path) -> None:
    plan = SweepPlan.read(file)
    design = plan.design("digits")  # checks what is varied, and what is expected
    assert len(design.variants) > 1
    assert plan.expect
    assert plan.claim.endswith(".")
