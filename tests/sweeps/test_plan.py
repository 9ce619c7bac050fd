import re
from pathlib import Path

import pytest

from stridednet.errors import InputError
from stridednet.sweeps.plan import SweepPlan, builtin_plans


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


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("strids", r"no sweep plan 'strids': did you mean strides\? Or else give a TOML file or one of activation, .*"),
        ("old/strides.toml", r"no sweep plan 'old/strides.toml': did you mean strides\? .*"),
        ("none.toml", r"no sweep plan 'none.toml': give a TOML file or one of activation, .*, two_small_kernels"),
        (".", r"cannot read the sweep plan .: Is a directory"),
    ],
)
def test_a_plan_that_does_not_exist_is_an_error_that_names_those_that_do(plan: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        SweepPlan.read(plan)
    assert re.fullmatch(message, str(caught.value))


def test_a_model_in_a_file_is_relative_to_the_plan_and_shown_by_its_file_name(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.py").touch()
    (tmp_path / "plan.toml").write_text(
        '[base]\nmodel.name = "nets/mine.py:one"\n[vary]\nmodel.name = ["vgg", "nets/mine.py:two"]\n'
        '[expect]\n"model.name=nets/mine.py:two" = "same"\n"model.name=vgg" = "lower"\n'
    )
    plan = SweepPlan.read(tmp_path / "plan.toml", trust=True)
    assert plan.base == {"model.name": f"{tmp_path}/nets/mine.py:one"}
    assert plan.vary == {"model.name": ["vgg", f"{tmp_path}/nets/mine.py:two"]}
    assert plan.expect == {"model.name=mine.py:two": "same", "model.name=vgg": "lower"}
    design = plan.design("digits")
    assert [variant.name for variant in design.variants] == ["base", "model.name=vgg", "model.name=mine.py:two"]
    assert design.variants[2].recipe(design.base).model.name == f"{tmp_path}/nets/mine.py:two"


@pytest.mark.parametrize("name", builtin_plans())
def test_the_claims_of_the_tutorial_can_be_swept(name: str) -> None:
    plan = SweepPlan.read(name)
    design = plan.design("digits")  # checks what is varied, and what is expected
    assert len(design.variants) > 1
    assert plan.expect
    assert plan.claim.endswith(".")
    assert not any("/" in variant.name for variant in design.variants)
