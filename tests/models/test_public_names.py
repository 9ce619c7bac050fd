import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import stridednet.models

EXPORTED = [
    "StridedNet", "Style", "allconv_block", "allconv_head", "bottleneck", "build_allconv", "build_fire",
    "build_inception", "build_residual", "build_vgg", "convolution", "describe", "fire_module", "inception_module",
    "load_keras_file", "unit", "vgg_block",
]  # fmt: skip


def test_exported_names() -> None:
    assert stridednet.models.__all__ == EXPORTED
    assert set(EXPORTED) <= set(dir(stridednet.models))
    with pytest.raises(AttributeError, match=r"module 'stridednet\.models' has no attribute 'fire_modul'"):
        _ = stridednet.models.fire_modul


@pytest.mark.parametrize("name", EXPORTED)
def test_each_name_has_a_docstring_with_an_example(name: str) -> None:
    exported = getattr(stridednet.models, name)
    assert exported.__name__ == name
    docstring = inspect.getdoc(exported)
    assert docstring
    assert "\nExamples:\n" in docstring
    assert any(example.want for example in doctest.DocTestParser().get_examples(docstring))


@pytest.mark.parametrize("name", [name for name in EXPORTED if name[0].islower()])
def test_each_function_documents_its_arguments_and_errors(name: str) -> None:
    function = getattr(stridednet.models, name)
    docstring = inspect.getdoc(function) or ""
    for argument in inspect.signature(function).parameters:
        assert f"\n    {argument}: " in docstring, argument
    assert "\nRaises:\n" in docstring


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(stridednet.models.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    home = {alias.name: node.module for node in imports for alias in node.names}
    assert home == stridednet.models._HOME_OF_NAME
    assert sorted(home) == sorted(EXPORTED)


def test_importing_the_package_does_not_import_keras() -> None:
    code = (
        "import sys, stridednet.models\n"
        "print(sorted({'keras', 'torch', 'numpy'} & set(sys.modules)))\n"
        "from stridednet.models import convolution, fire_module\n"
        "print('keras' in sys.modules, callable(convolution), stridednet.models.fire_module is fire_module)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue True True\n"
