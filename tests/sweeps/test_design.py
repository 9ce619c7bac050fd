import subprocess
import sys
from pathlib import Path

import pytest

from stridednet.errors import DataError, InputError, RecipeError
from stridednet.sweeps.design import MOST_REPETITIONS, design_sweep
from stridednet.sweeps.plan import SweepPlan

VARY = {"model.stem_kernel": [3, 5]}


def test_a_design_has_the_base_with_its_overrides_and_the_variants() -> None:
    design = design_sweep("digits", VARY, settings={"model.stem_kernel": 5, "epochs": 2})
    assert (design.base.name, design.base.epochs, design.base.data.dataset) == ("fast", 2, "digits")
    assert [variant.name for variant in design.variants] == ["base", "model.stem_kernel=3"]
    assert (design.seeds, design.folds, design.margin, design.sequential) == (2, 4, 0.01, False)
    assert (design.one_at_a_time, design.claim, design.expect) == (False, "", {})


def test_a_design_that_stops_by_itself_has_a_greatest_number_of_repetitions() -> None:
    assert design_sweep("digits", VARY, until="decided").seeds == MOST_REPETITIONS
    assert design_sweep("digits", VARY, budget=60.0, seeds=3).seeds == 3


def test_arguments_override_the_plan() -> None:
    plan = SweepPlan(
        claim="small", seeds=3, recipe="tutorial", base={"epochs": 1, "image_size": 32}, expect={"epochs=2": "higher"},
        vary={"epochs": [1, 2], "model.stem_kernel": [3, 7]}, one_at_a_time=True,
    )  # fmt: skip
    design = plan.design(None)
    assert (design.base.name, design.base.epochs, design.base.image_size) == ("tutorial", 1, 32)
    assert (design.seeds, len(design.variants), design.claim, design.expect) == (3, 3, "small", {"epochs=2": "higher"})
    other = plan.design("digits", seeds=2, recipe="fast", settings={"image_size": 20}, one_at_a_time=False)
    assert (other.base.name, other.base.epochs, other.base.image_size, other.seeds) == ("fast", 1, 20, 2)
    assert len(other.variants) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seeds": 0}, InputError, "seeds must be at least 1. Received: 0"),
        ({"folds": 1}, InputError, "folds must be at least 2. Received: 1"),
        ({"margin": 1.0}, InputError, "margin must be a difference in accuracy between 0 and 1. Received: 1.0"),
        ({"seeds": 1, "until": "decided"}, InputError, "seeds must be between 2 and"),
        ({"budget": float("nan")}, InputError, "budget must be a positive number of seconds. Received: nan"),
        ({"vary": {}}, InputError, "needs at least one axis"),
        ({"vary": {"model.stem_kernl": [3]}}, RecipeError, "did you mean model.stem_kernel"),
        ({"settings": {"epochs": 0}}, RecipeError, "Received: 0"),
        ({"recipe": "fastest"}, RecipeError, "fastest"),
        ({"expect": {"model.stem_kernel=7": "same"}}, InputError, "'model.stem_kernel=7' is not a variant"),
        ({"dataset": "no such place"}, DataError, "no such place"),
    ],
)
def test_mistakes_are_found(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        design_sweep(**{"dataset": "digits", "vary": VARY, **arguments})  # type: ignore[arg-type]


def test_a_model_in_a_file_is_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    vary = ["model.name=./mine.py:build,nets/other.py:build"]
    design = design_sweep("digits", vary, settings={"model.name": "mine.py:build"})
    assert [variant.name for variant in design.variants] == ["base", "model.name=other.py:build"]
    assert design.base.model.name == f"{tmp_path}/mine.py:build"
    assert design.variants[1].recipe(design.base).model.name == f"{tmp_path}/nets/other.py:build"


def test_two_models_that_would_look_the_same_are_refused(tmp_path: Path) -> None:
    vary = {"model.name": [f"{tmp_path}/first/mine.py:build", f"{tmp_path}/second/mine.py:build"]}
    with pytest.raises(InputError, match=r"different file names .* Received: .*first/mine.py:build and .*second/mine"):
        design_sweep("digits", vary)


def test_a_design_needs_no_keras() -> None:
    code = (
        "import sys; from stridednet.sweeps.plan import SweepPlan\n"
        "SweepPlan(vary={'epochs': [1, 2]}).design('digits')\n"
        "print(sorted({'torch', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
