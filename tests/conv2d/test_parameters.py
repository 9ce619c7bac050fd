import dataclasses
import inspect
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from keras import layers

from conftest import Command
from stridednet.conv2d.parameters import GROUPS, PARAMETERS, REQUIRED, Parameter, find_parameter
from stridednet.errors import InputError
from stridednet.models.catalogue import build_model
from stridednet.recipe import load_recipe, parse_override

SIGNATURE = {
    name: parameter
    for name, parameter in inspect.signature(layers.Conv2D.__init__).parameters.items()
    if name not in ("self", "kwargs")
}
DIGITS = 28  # image size of the data set `digits`, which a command without a data set trains on
PLAIN = {"filters": 4, "kernel_size": 3}
IMAGE = np.random.default_rng(0).normal(size=(8, 12, 12, 4)).astype("float32")

every_parameter = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)


def _texts(parameter: Parameter) -> list[str]:
    return [
        parameter.does,
        parameter.allowed,
        parameter.tutorial,
        parameter.when,
        parameter.costs,
        *parameter.traps,
    ]


def _built(image: np.ndarray = IMAGE, **arguments: object) -> layers.Conv2D:
    layer = layers.Conv2D(**(PLAIN | arguments))
    layer.build(image.shape)
    return layer


def test_names_and_defaults_are_those_of_the_installed_keras() -> None:
    here = {parameter.name: parameter.default for parameter in PARAMETERS}
    keras_has = {
        name: REQUIRED if parameter.default is parameter.empty else parameter.default
        for name, parameter in SIGNATURE.items()
    }
    assert here == keras_has
    assert len(PARAMETERS) == 16


def test_passing_the_defaults_changes_nothing() -> None:
    explicit = {parameter.name: parameter.default for parameter in PARAMETERS if parameter.default is not REQUIRED}
    given, plain = _built(**explicit).get_config(), _built().get_config()
    assert {name: given[name] for name in SIGNATURE} == {name: plain[name] for name in SIGNATURE}


def test_the_four_that_matter_come_first_and_groups_stay_together() -> None:
    assert [parameter.name for parameter in PARAMETERS[:4]] == ["filters", "kernel_size", "strides", "padding"]
    groups = [parameter.group for parameter in PARAMETERS]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=list(GROUPS).index)


@every_parameter
def test_every_page_is_complete(parameter: Parameter) -> None:
    assert 0 < len(parameter.in_short) <= 42
    for text in _texts(parameter):
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith("."), text
        assert text.count("`") % 2 == 0, text
    assert parameter.traps
    assert parameter.sources
    for title, address in parameter.sources:
        assert title
        assert re.fullmatch(r"https://\S+", address)
    for field in dataclasses.fields(parameter):
        assert isinstance(getattr(parameter, field.name), str | tuple) or field.name == "default"


@every_parameter
def test_keras_accepts_every_name(parameter: Parameter) -> None:
    for name in parameter.names:
        layer = _built(**{parameter.name: name})
        assert layer(IMAGE).shape[0] == len(IMAGE)
    if parameter.names:
        with pytest.raises(ValueError, match=r"Could not interpret|must be"):
            _built(**{parameter.name: "no such name"})


def test_names_are_complete() -> None:
    assert find_parameter("padding").names == ("valid", "same")
    with pytest.raises(ValueError, match=r"must be .* one of \{'valid', 'same'\}|one of \{'same', 'valid'\}"):
        layers.Conv2D(4, 3, padding="causal")
    from stridednet.conv2d.initialization import Initializer
    from stridednet.settings import CONSTRAINTS

    assert set(find_parameter("kernel_initializer").names) == set(Initializer.__args__)  # type: ignore[attr-defined]
    constraints = {form.partition("(")[0] for form in CONSTRAINTS} - {"none"}
    assert set(find_parameter("kernel_constraint").names) == constraints


@every_parameter
def test_every_command_trains_a_model_that_can_be_built(parameter: Parameter) -> None:
    assert parameter.measure or parameter.name == "data_format"
    for line in parameter.measure:
        program, subcommand, *arguments = shlex.split(line)
        assert (program, subcommand) == ("stridednet", "train")
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        assert set(options) <= {"--recipe", "--set"}
        base, _ = load_recipe(options.get("--recipe", "accurate"))
        values = dict(
            parse_override(value)
            for option, value in zip(arguments[::2], arguments[1::2], strict=True)
            if option == "--set"
        )
        changed = base.replace(values)
        assert changed != base, f"{line} changes nothing"
        assert build_model(
            changed.model, changed.image_size if "image_size" in values else DIGITS, 10
        ).output_shape == (None, 10)


def test_every_command_within_a_text_runs(command: Command) -> None:
    lines = [
        code
        for parameter in PARAMETERS
        for text in _texts(parameter)
        for code in re.findall(r"`(stridednet [^`]+)`", text)
    ]
    assert len(lines) >= 2
    for line in lines:
        done = command(*shlex.split(line)[1:])
        assert (done.returncode, done.stderr) == (0, ""), line


@pytest.mark.parametrize("name", ["kernel_size", "kernel-size", "Kernel_Size", " KERNEL-SIZE "])
def test_case_and_hyphens_are_ignored(name: str) -> None:
    assert find_parameter(name).name == "kernel_size"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("stride", "did you mean strides?"),
        ("paddding", "did you mean padding?"),
        ("dilation", "did you mean dilation_rate?"),
        ("size", "did you mean kernel_size?"),
        ("constraint", "did you mean kernel_constraint or bias_constraint?"),
        ("zzz", "its parameters are filters, kernel_size, strides, padding, "),
        ("", "its parameters are filters, kernel_size, strides, padding, "),
    ],
)
def test_an_unknown_parameter_suggests_similar_names(name: str, advice: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"Conv2D has no parameter '{name}'; {advice}")):
        find_parameter(name)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, stridednet.conv2d.parameters\n"
        "print(sorted({'torch', 'keras', 'numpy', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
