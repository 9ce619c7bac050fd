"""Python code of a model of one's own: what it takes to run it, if a file names it."""

import os
from pathlib import Path

import keras
import pytest

import stridednet
from stridednet.cli.progress import console_observer
from stridednet.cli.trust import trusted
from stridednet.errors import InputError, RunError, UntrustedError
from stridednet.resolve import resolve
from stridednet.run import Run
from stridednet.sweeps.plan import SweepPlan
from stridednet.training.history import EpochRow
from tiny_pictures import write_classes

NET = """
import keras


@keras.saving.register_keras_serializable("own")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def build(width, height, depth, classes):
    image = keras.Input((height, width, depth))
    x = Doubled()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax")(keras.layers.Flatten()(x)))
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path}/net.py:build"


def test_recipes_and_plans(net: str, tmp_path: Path) -> None:
    recipe, plan = tmp_path / "recipe.toml", tmp_path / "plan.toml"
    recipe.write_text(f'model.name = "{net}"\n')
    plan.write_text('[vary]\nmodel.name = ["stridednet", "net.py:build"]\n')
    with pytest.raises(UntrustedError, match=r"recipe\.toml names Python code to run, .*net\.py:build; if you trust"):
        resolve("digits", recipe)
    assert resolve("digits", recipe, trust=True).recipe.model.name == net
    assert resolve("digits", recipe, {"model.name": "vgg"}).recipe.model.name == "vgg"
    with pytest.raises(UntrustedError, match=r"plan\.toml names Python code"):
        SweepPlan.read(plan)
    assert SweepPlan.read(plan, trust=True).vary["model.name"] == ["stridednet", net]


def test_a_run(net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = write_classes(tmp_path / "pictures", "ab", 10)
    settings = {"image_size": 16, "batch_size": 8, "epochs": 2, "model.name": net}
    observer = console_observer(quiet=False)

    def stop(_: EpochRow) -> None:
        raise KeyboardInterrupt

    observer.on_epoch = stop  # type: ignore[method-assign]
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, "tutorial", settings=settings, out=run, observer=observer)
    assert f"resume with: stridednet train --resume {run} --trust {run}\n" in capsys.readouterr().out
    with pytest.raises(UntrustedError, match="names Python code to run"):
        stridednet.resume(run)
    stridednet.resume(run, trust=True)

    keras.saving.get_custom_objects().clear()  # as in another process
    os.utime(tmp_path / "net.py", (0, 0))
    with pytest.raises(RunError, match="custom layer or object, Doubled"):
        Run.open(run).model()
    assert Run.open(run, trust=True).model().layers[2].__class__.__name__ == "Doubled"
    keras.saving.get_custom_objects().clear()


def test_what_the_option_names(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert trusted(None, first, None) == [False, False]
    assert trusted([first], first, second) == [True, False]
    assert trusted([first / "model.keras", second], first, second) == [True, True]
    with pytest.raises(InputError, match=r"--trust names a file or run that this command opens: .*first"):
        trusted([second], first)
